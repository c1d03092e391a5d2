"""Bases in which a spectrum can be written and its attribution asked for: the transforms of `transformed`."""

from agnsal.attribution.bases.basis import Basis, FunctionBasis, MatrixBasis
from agnsal.attribution.bases.dictionary import LineDictionary
from agnsal.attribution.bases.learned import NMFBasis, PCABasis
from agnsal.attribution.bases.orthogonal import FourierBands, Wavelet

__all__ = ["Basis", "FourierBands", "FunctionBasis", "LineDictionary", "MatrixBasis", "NMFBasis", "PCABasis", "Wavelet"]
