"""Small files in the layout of every survey, holding one known spectrum, so that tests need no real data.

The spectrum is a continuum with [O III] 5008.24 A (vacuum) at redshift `Z`; every writer stores it as its survey does:
in its own medium, order of bytes, unit and kind of error.
"""

from __future__ import annotations

import re
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import QTable, Table
from specutils.utils.wcs_utils import air_to_vac, vac_to_air

Z = 0.1
LINE = 5008.24


def advised(error):
    """What the call in a refusal passes to `read_spectra`."""
    given = re.search(r"read_spectra\(path, (.*?)\)(?: |$|, or|;|\.)", str(error))
    return eval(f"dict({given[1]})", {})


def model(vacuum):
    """Flux of the known spectrum at observed vacuum wavelengths, in 1e-17 erg/s/cm2/A."""
    return 10.0 + 1e-3 * (vacuum - 5500.0) + 30.0 * np.exp(-0.5 * ((vacuum - LINE * (1 + Z)) / 4.0) ** 2)


def to_vacuum(air):
    return air_to_vac(air * u.AA, scheme="iteration", precision=1e-9).value


def to_air(vacuum):
    return vac_to_air(vacuum * u.AA).value


def sdss_axis(n=2000, first=3.6):
    return first + 1e-4 * np.arange(n)


def specobj(z=Z, n_columns=40, **cells):
    """A SPECOBJ-like table: many columns of every type, with the few that matter among them."""
    columns = [fits.Column(f"FILLER{i}", ["E", "5E", "12A", "K", "16X", "I"][i % 6]) for i in range(n_columns)]
    values = {"PLATE": 406, "MJD": 51869, "FIBERID": 374, "CLASS": "QSO", "SUBCLASS": "BROADLINE", "Z": z}
    values |= {"Z_ERR": 1e-4, "ZWARNING": 0, "SN_MEDIAN_ALL": 23.0, "PLUG_RA": 10.5, "PLUG_DEC": -1.5} | cells
    formats = {int: "K", float: "D", str: "24A", list: "5E"}
    columns += [fits.Column(k, formats[type(v)], array=[v]) for k, v in values.items() if v is not None]
    return fits.BinTableHDU.from_columns(columns, nrows=1, name="SPECOBJ")


def write_spec(path, *, release="III/IV", flux=None, ivar=None, catalogue=None, z=Z, loglam=None, extra=(), coeff=True):
    """A spec file of SDSS-III/IV (which re-releases I/II) or SDSS-V."""
    loglam = sdss_axis() if loglam is None else loglam
    flux = model(10**loglam) if flux is None else flux
    ivar = np.full(loglam.size, 4.0) if ivar is None else ivar
    names = ("flux", "loglam", "ivar", "and_mask", "or_mask", "wdisp", "sky", "model")
    five = release == "V"
    arrays = (flux, loglam, ivar, *(np.full(loglam.size, 1 << 23, np.int32),) * 2, flux, flux, flux)
    columns = [
        fits.Column(name.upper() if five else name, "J" if "mask" in name else "E", array=array)
        for name, array in zip(names, arrays, strict=True)
    ]
    primary = fits.PrimaryHDU()
    primary.header.update(TELESCOP="SDSS 2.5-M", VERS2D="v6_1_3" if five else "v5_13_2", PLATEID=406, FIBERID=374)
    primary.header.update(MJD=51869, BUNIT="1E-17 erg/cm^2/s/Ang")
    if coeff:  # the table begins 20 pixels after COEFF0, as it does in real files
        primary.header.update(COEFF0=round(float(loglam[0]) - 0.002, 4), COEFF1=1e-4)
    if catalogue is None:
        catalogue = specobj(z)
        if five:
            new = {"PLATE": None, "FIELD": 112359, "MJD": 60086, "CATALOGID": 27021598108289694}
            catalogue = specobj(z, **new)
            catalogue.name = "SPALL"
    lines = fits.BinTableHDU.from_columns([fits.Column("LINEZ", "E", array=[z])], name="SPZLINE")
    hdus = [primary, fits.BinTableHDU.from_columns(columns, name="COADD"), *([catalogue] if catalogue else []), lines]
    fits.HDUList([*hdus, *extra]).writeto(path, overwrite=True)
    return path


def write_spspec(path):
    loglam = sdss_axis()
    flux = model(10**loglam)
    data = np.zeros((5, loglam.size), np.float32)
    data[0], data[2] = flux, 0.5
    data[2, :3] = 0.0  # no measurement
    hdu = fits.PrimaryHDU(data)
    hdu.header.update(TELESCOP="SDSS 2.5-M", PLATEID=406, MJD=51869, FIBERID=374, BUNIT="1.0E-17 erg/cm/s/Ang")
    hdu.header.update(COEFF0=3.6, COEFF1=1e-4, CRVAL1=3.6, CD1_1=1e-4, CRPIX1=1, CTYPE1="WAVE-WAV")
    hdu.header["CTYPE1"], hdu.header["DC-FLAG"], hdu.header["Z"] = "LINEAR", 1, Z
    hdu.writeto(path, overwrite=True)
    return path


def write_desi(path, n_targets=3, redshifts=True, red=1.0):
    """A coadd with three arms; with `red` the r arm differs from the others, so that a mean can be told."""
    primary = fits.PrimaryHDU()
    primary.header["INFIL000"] = "cframe.fits"
    targets = {"TARGETID": 39089837499744649 + np.arange(n_targets), "TARGET_RA": np.full(n_targets, 149.0)}
    targets |= {"TARGET_DEC": np.full(n_targets, 1.8), "EBV": np.full(n_targets, 0.02)}
    targets["OBJTYPE"] = np.array(["TGT"] * (n_targets - 1) + ["SKY"])
    hdus = [primary, fits.BinTableHDU(Table(targets), name="FIBERMAP")]
    for arm, first, last in (("B", 3600.0, 5800.0), ("R", 5760.0, 7620.0), ("Z", 7520.0, 9824.0)):
        wavelength = np.arange(round((last - first) / 0.8) + 1) * 0.8 + first
        flux = np.tile(model(wavelength) * (red if arm == "R" else 1.0), (n_targets, 1))
        ivar = np.full(flux.shape, 3.0 if arm == "R" else 1.0)
        ivar[:, 100] = 0.0
        unit = "10**-17 erg/(s cm2 Angstrom)"
        for part, values in (("WAVELENGTH", wavelength), ("FLUX", flux), ("IVAR", ivar), ("MASK", ivar == 0)):
            data = values.astype(np.float64 if part == "WAVELENGTH" else np.int32 if part == "MASK" else np.float32)
            hdu = fits.ImageHDU(data, name=f"{arm}_{part}")
            hdu.header["BUNIT"] = "Angstrom" if part == "WAVELENGTH" else unit
            if part == "IVAR":
                hdu.header["BUNIT"] = "10**+34 (s2 cm4 Angstrom2) / erg2"
            hdus.append(hdu)
        hdus.append(fits.ImageHDU(np.ones((n_targets, 11, wavelength.size), np.float32), name=f"{arm}_RESOLUTION"))
    if redshifts:
        found = {"TARGETID": targets["TARGETID"], "Z": Z + 0.1 * np.arange(n_targets), "SPECTYPE": ["QSO"] * n_targets}
        hdus.append(fits.BinTableHDU(Table(found), name="REDSHIFTS"))
    hdus.append(fits.BinTableHDU(Table({"TARGETID": targets["TARGETID"]}), name="SCORES"))
    fits.HDUList(hdus).writeto(path, overwrite=True)
    return path


def sixdf_cards(**more):
    return {"TARGET": "g0001", "OBSRA": 1.0, "OBSDEC": -30.0, "Z": Z, "Z_HELIO": Z, "QUALITY": 4} | more


def write_sixdfgs_image(path, *, rows=4):
    """The image variant; as in real files IRAF has moved the axis of the header to the rest frame."""
    air = 4000.0 + 1.5 * np.arange(2200)
    data = np.zeros((rows, air.size), np.float32)
    data[0], data[1], data[2] = 10 * model(to_vacuum(air)), 25.0, 3.0
    if rows > 3:
        data[3] = air
    data[1, :2] = 0.0
    hdu = fits.PrimaryHDU(data)
    hdu.header.update(sixdf_cards(DOPCOR01=f"{Z} 7", ORIGIN="NOAO-IRAF"))
    hdu.header.update(
        CRVAL1=air[0] / (1 + Z), CDELT1=1.5 / (1 + Z), CD1_1=1.5 / (1 + Z), CRPIX1=1.0, CUNIT1="Angstroms"
    )
    hdu.writeto(path, overwrite=True)
    return path


def write_sixdfgs_combined(path):
    """The variant with both arms and their sum in HDUs 5 to 7, after pictures of the target."""
    air = 4000.0 + 1.5 * np.arange(2200)
    hdus = [fits.PrimaryHDU(), *(fits.ImageHDU(np.zeros((3, 3))) for _ in range(4))]
    for scale in (1.0, 2.0, 10.0):
        data = np.array([scale * model(to_vacuum(air)), 0 * air + 25, air, air], np.float32)
        hdu = fits.ImageHDU(data)
        hdu.header.update(sixdf_cards(CRVAL1=4000.0, CDELT1=1.5, CRPIX1=1.0, CUNIT1="Angstroms"))
        hdus.append(hdu)
    fits.HDUList(hdus).writeto(path, overwrite=True)
    return path


def write_sixdfgs_table(path):
    """The tabular variant: four digits of wavelength, -999 for no datum, no errors."""
    air = 4000.0 + 1.5 * np.arange(2200)
    flux = 10 * model(to_vacuum(air))
    flux[:5] = -999.0
    columns = [
        fits.Column("WAVE", "E12.4", array=np.round(air, 1), unit="Angstrom", ascii=True),
        fits.Column("FLUX", "E12.4", array=flux, unit="counts/s", ascii=True),
    ]
    primary = fits.PrimaryHDU()
    primary.header.update(sixdf_cards())
    fits.HDUList([primary, fits.TableHDU.from_columns(columns)]).writeto(path, overwrite=True)
    return path


def write_twodfgrs(path, n=2):
    air = 3700.0 + 4.3 * np.arange(1000)
    chart = fits.PrimaryHDU(np.zeros((5, 5), np.float32))
    chart.header.update(IMAGE="SKYCHART", OBJECT="TGS001Z001")
    hdus = [chart]
    for _ in range(n):
        hdu = fits.ImageHDU(np.array([10 * model(to_vacuum(air)), 0 * air + 25, 0 * air], np.float32))
        hdu.header.update(IMAGE="SPECTRUM", CRVAL1=3700.0 + 4.3 * 9, CDELT1=4.3, CRPIX1=10.0, QUALITY=4)
        hdu.header["Z"], hdu.header["Z_HELIO"] = Z + 1e-4, Z
        hdus.append(hdu)
    fits.HDUList(hdus).writeto(path, overwrite=True)
    return path


def write_gama(path):
    air = 3727.79 + 1.035940794 * np.arange(4952)
    flux = model(to_vacuum(air))
    data = np.array([flux, 0 * flux + 0.5, 9 * flux, 9 * flux, flux], np.float32)
    data[:, :38] = np.nan
    hdu = fits.PrimaryHDU(data)
    hdu.header.update(ORIGIN="GAMA", CTYPE1="Wavelength", CUNIT1="Angstrom", CRPIX1=1.0, CRVAL1=3727.79)
    hdu.header.update(CD1_1=1.035940794, CD1_2=0.0, CD2_1=0.0, CD2_2=1.0, SPECID="G09_Y1_GS1_080", Z=Z)
    hdu.header["GAMANAME"] = "GAMAJ091134.43-005154.4"
    hdu.writeto(path, overwrite=True)
    return path


def write_wcs1d(path, **cards):
    """A one-dimensional image with a spectral axis of the FITS standard."""
    hdu = fits.PrimaryHDU(model(4000.0 + 2.0 * np.arange(1500)))
    hdu.header.update({"CTYPE1": "WAVE", "CUNIT1": "Angstrom", "CRVAL1": 4000.0, "CDELT1": 2.0, "CRPIX1": 1.0})
    hdu.header.update({"BUNIT": "1e-17 erg / (s cm2 Angstrom)"} | cards)
    for card in [card for card, value in cards.items() if value is None]:
        del hdu.header[card]
    hdu.writeto(path, overwrite=True)
    return path


def write_iraf(path, data=None, **cards):
    """A one-dimensional IRAF image: linear axis, unit in WAT1, A for Angstrom."""
    air = 4000.0 + 2.0 * np.arange(1500)
    hdu = fits.PrimaryHDU(np.asarray(model(to_vacuum(air)) * 1e-17 if data is None else data, np.float32))
    hdu.header.update({"ORIGIN": "NOAO-IRAF FITS Image Kernel July 2003", "CTYPE1": "LINEAR", "CRVAL1": 4000.0})
    hdu.header.update({"CD1_1": 2.0, "CRPIX1": 1.0, "DC-FLAG": 0, "BUNIT": "erg/cm2/s/A", "OBJECT": "NGC 1"})
    hdu.header["WAT1_001"] = "wtype=linear label=Wavelength units=angstroms"
    hdu.header.update(cards)
    hdu.writeto(path, overwrite=True)
    return path


def columns(n=1500, error="flux_error"):
    """Columns with units, in vacuum."""
    wavelength = 4000.0 + 2.0 * np.arange(n)
    unit = u.Unit("1e-17 erg s-1 cm-2 Angstrom-1")
    table = QTable({"wavelength": wavelength * u.AA, "flux": model(wavelength) * unit})
    if error == "flux_error":
        table[error] = np.full(n, 0.5) * unit
    elif error == "ivar":
        table[error] = np.full(n, 4.0) * unit**-2
    return table


def write_fits_table(path, table=None):
    (columns() if table is None else table).write(path, overwrite=True, format="fits")
    return path


def write_ecsv(path, table=None):
    (columns() if table is None else table).write(path, overwrite=True, format="ascii.ecsv")
    return path


def write_text(path, lines):
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_plain(path, *, header=(), delimiter=" ", error=True):
    """Columns of numbers in Angstrom, with whatever lines above them."""
    wavelength = 4000.0 + 2.0 * np.arange(1500)
    rows = [[w, f, 0.5] if error else [w, f] for w, f in zip(wavelength, model(wavelength), strict=True)]
    return write_text(path, [*header, *(delimiter.join(f"{cell:.6f}" for cell in row) for row in rows)])


def write_ned(path):
    """The text export of NED: published values left of the bar, its own conversion right of it."""
    air = 4000.0 + 2.0 * np.arange(1500)
    head = [
        "#   Published-Value                         |     NED-Homogenized-Values",
        "#   Spectral-axis   Intensity   Uncertainty |  Spectral-axis   Intensity   Uncertainty",
        "#   [Angstrom]  [erg/cm^2/s/A]  [erg/cm^2/s/A] |  [Hz]    [W/m^2/Hz]   [W/m^2/Hz]",
    ]
    rows = [
        f"  {a:.3f}  {f:.6e}            | {3e18 / a:.8e}  1e-29   "
        for a, f in zip(air, model(to_vacuum(air)) * 1e-17, strict=True)
    ]
    return write_text(path, head + rows)


#: Wavelengths in air of the files below, and the known spectrum there.
AIR = 4000.0 + 2.0 * np.arange(1500)
IMAGE_AXIS = {"CTYPE1": "Wavelength", "CUNIT1": "Angstrom", "CRVAL1": 4000.0, "CDELT1": 2.0, "CRPIX1": 1.0}


def image_of(data, name="", kind=fits.ImageHDU, **cards):
    hdu = kind(np.asarray(data, np.float32))
    hdu.header.update(IMAGE_AXIS | cards)
    if name:
        hdu.name = name
    return hdu


def primary_of(data, **cards):
    return image_of(data, kind=fits.PrimaryHDU, **cards)


def written(path, *hdus):
    fits.HDUList(list(hdus)).writeto(path, overwrite=True)
    return path


def rows_of(*values):
    return np.array([np.broadcast_to(value, AIR.size) for value in values])


FLUX = model(to_vacuum(AIR))


def write_ozdes(path):
    counts = {"BUNIT": "count / Angstrom"}
    hdus = [
        primary_of(FLUX, REFERENC="ozdes.org", OBJECT="SVA1", **counts),
        image_of(0 * AIR + 0.25, "VARIANCE", **counts),
    ]
    hdus += [image_of(0 * AIR + 0, "BADPIX", **counts), image_of(9 * FLUX, "SINGLE", **counts)]
    return written(
        path, *hdus, image_of(0 * AIR + 0.25, "SINGLE_VAR", **counts), image_of(0 * AIR + 0, "SINGLE_BAD", **counts)
    )


def write_wigglez(path):
    cards = {"REFCODE": "2018MNRAS.474.4151D", "BUNIT": "count / Angstrom"}
    hdus = (
        primary_of(FLUX, **cards),
        image_of(0 * AIR + 0.25, "VARIANCE", **cards),
        image_of(0 * AIR + 9, "SKY", **cards),
    )
    return written(path, *hdus)


def write_galah(path):
    hdus = [
        primary_of(FLUX, ORIGIN="GALAH SURVEY"),
        image_of(0 * AIR + 0.5, "SIGMA"),
        image_of(9 * FLUX, "UNREDUCED"),
    ]
    return written(path, *hdus, image_of(0 * AIR + 0.5, "UNREDUCED_SIGMA"), image_of(FLUX / 10, "NORMALISED"))


def write_twoslaq(path):
    return written(path, primary_of(np.array([[FLUX], [9 * FLUX]]), MSTITLE="2dF-SDSS LRG/QSO survey", CD1_1=2.0))


def fibers_of(kinds, **columns):
    names = [f"J{number:04d}" for number in range(len(kinds))]
    cells = {"NAME": names, "RA": np.radians([150.0] * len(kinds)), "DEC": np.radians([-30.0] * len(kinds))}
    return fits.BinTableHDU(Table(cells | {"TYPE": kinds} | columns), name="FIBRES")


def write_aaomega(path):
    data = rows_of(9 * FLUX, FLUX, 0, 9)
    hdus = [primary_of(data, INSTRUME="AAOMEGA-2dF", CRVAL1=4000.0 + 2 * 99, CRPIX1=100.0)]
    hdus += [image_of(rows_of(9, 0.25, 9, 9), "VARIANCE"), fibers_of(["S", "P", "F", "N"])]
    return written(
        path, *hdus, image_of(9 * data, "RWSS"), fits.BinTableHDU(Table({"A": ["x"]}), name="REDUCTION_ARGS")
    )


def write_marz(path):
    hdus = [primary_of(rows_of(FLUX, 9), name="INTENSITY", BUNIT="count"), image_of(rows_of(0.25, 9), "VARIANCE")]
    wavelength = fits.ImageHDU(AIR, name="WAVELENGTH")
    return written(path, *hdus, image_of(rows_of(9, 9), "SKY"), wavelength, fibers_of(["P", "S"]))


def write_gama_collected(path, survey="2QZ"):
    hdus = [
        primary_of(FLUX, GAMANAME="GAMAJ1", SURVEY=survey, CD1_1=2.0),
        image_of(0 * AIR + 0.25, "VARIANCE", CD1_1=2.0),
    ]
    return written(path, *hdus, image_of(0 * AIR + 9, "SKY", CD1_1=2.0))


def write_plate(path):
    loglam = sdss_axis()
    flux = model(10**loglam)
    hdu = fits.PrimaryHDU(np.array([9 * flux, flux], np.float32))
    hdu.header.update(COEFF0=3.6, COEFF1=1e-4, PLATEID=406, MJD=51869, TELESCOP="SDSS 2.5-M")
    names = {"IVAR": 4.0, "ANDMASK": 0, "ORMASK": 1, "WAVEDISP": 1, "PLUGMAP": None, "SKY": 9}
    cells = Table({"FIBERID": [1, 2], "OBJTYPE": ["SKY", "QSO"]})
    return written(
        path,
        hdu,
        *(
            fits.BinTableHDU(cells, name=name) if value is None else fits.ImageHDU(np.full((2, 2000), value), name=name)
            for name, value in names.items()
        ),
    )


def write_apogee(path):
    cards = {"CTYPE1": "LOG-LINEAR", "CRVAL1": 3.6, "CDELT1": 1e-4, "CRPIX1": 1, "CUNIT1": None}
    flux = model(10 ** (3.6 + 1e-4 * np.arange(2000)))
    head = fits.PrimaryHDU()
    head.header.update(HISTORY="APOGEE Reduction Pipeline", SFILE1="apVisit-r12-1.fits")
    stack = np.array([flux, flux, 9 * flux])
    hdus = (
        image_of(stack, "FLUX", **cards),
        image_of(0 * stack + 0.5, "ERROR", **cards),
        image_of(stack > 1e9, "MASK", **cards),
    )
    return written(path, head, *hdus)


def write_deep2(path):
    tables = []
    for name, at in (("Bxspf-B", AIR < 6000), ("Bxspf-R", AIR > 6010), ("Horne-B", AIR < 6000)):
        cells = {"SPEC": [FLUX[at]], "LAMBDA": [AIR[at]], "IVAR": [np.full(at.sum(), 4.0)], "SKYSPEC": [FLUX[at]]}
        tables.append(fits.BinTableHDU(Table(cells), name=name))
    return written(path, fits.PrimaryHDU(), *tables)


def write_mwm(path, visits=1):
    wave = 10 ** (3.6 + 1e-4 * np.arange(2000))
    cells = {"flux": np.tile(model(wave), (visits, 1)), "ivar": np.full((visits, 2000), 4.0)}
    cells |= {"wavelength": np.tile(wave, (visits, 1))} if visits == 1 else {"mjd": np.arange(visits)}
    cells |= {"pixel_flags": np.zeros((visits, 2000), int), "snr": np.ones(visits)}
    head, table = fits.PrimaryHDU(), fits.BinTableHDU(Table(cells), name="BOSS/APO")
    head.header.update(V_ASTRA="0.6.0", SDSS_ID=114)
    table.header.update(CRVAL=3.6, CDELT=1e-4, NPIXELS=2000)
    empty = fits.BinTableHDU(Table({name: value[:0] for name, value in cells.items()}), name="BOSS/LCO")
    return written(path, head, empty, table)


def write_pypeit(path):
    cells = {"OPT_WAVE": AIR, "OPT_FLAM": model(AIR), "OPT_FLAM_IVAR": 0 * AIR + 4, "OPT_MASK": AIR > 0}
    return written(path, fits.PrimaryHDU(), fits.BinTableHDU(Table(cells | {"OPT_COUNTS": AIR}), name="SPAT0100"))


def write_manga(path):
    """The rows of a MaNGA bundle (RSS): log-linear, masks and wavelengths in extensions of their own."""
    wave = 10 ** (3.6 + 1e-4 * np.arange(2000))
    cards = {"CTYPE1": "WAVE-LOG", "CRVAL1": wave[0], "CDELT1": wave[0] * 1e-4 * np.log(10), "INSTRUME": "MaNGA"}
    cards["BUNIT"] = "1E-17 erg/s/cm^2/Ang/fiber"
    stack = np.array([model(wave), 2 * model(wave)])
    hdus = [
        image_of(stack, "FLUX", **cards),
        image_of(0 * stack + 4, "IVAR"),
        image_of(stack < 0, "MASK"),
        image_of(stack, "DISP"),
    ]
    head = fits.PrimaryHDU()
    head.header["TELESCOP"] = "SDSS 2.5-M"
    return written(path, head, *hdus, fits.ImageHDU(wave, name="WAVE"))


def write_eso(path, medium="air"):
    """Phase 3 of ESO: one row of arrays, with UCDs that say which flux is meant, and the medium."""
    wave = AIR if medium == "air" else to_vacuum(AIR)
    cells = {"WAVE": [wave / 10], "FLUX": [FLUX * 1e-17], "ERR": [0 * AIR + 0.5e-17], "QUAL": [0 * AIR], "SNR": [AIR]}
    table = fits.BinTableHDU(Table(cells), name="SPECTRUM")
    ucds = ["em.wl;obs.atmos" if medium == "air" else "em.wl", "phot.flux.density;em.wl;src.net;meta.main"]
    ucds += ["stat.error;phot.flux.density;meta.main", "meta.code.qual;meta.main", "stat.snr;meta.main"]
    units = ["nm", *["erg.cm**(-2).s**(-1).angstrom**(-1)"] * 2, "", ""]
    for number, (ucd, unit) in enumerate(zip(ucds, units, strict=True), 1):
        table.header[f"TUCD{number}"], table.header[f"TUNIT{number}"] = ucd, unit
    return written(path, fits.PrimaryHDU(), table)
