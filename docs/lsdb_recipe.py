"""agnsal on a catalogue of LSDB: the answers of explain_dataset through map_partitions.

LSDB pins what it needs, so it has an environment of its own: `pip install lsdb 'agnsal[datasets]'`. Here a small
catalogue is made; a real one is opened by `lsdb.open_catalog(...)`. CI runs this script.

python docs/lsdb_recipe.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import lsdb
import numpy as np
import pandas as pd

import agnsal

GRID = agnsal.PERUZZI2021_GRID
COLUMNS = ["object_id", "predicted", "P(type 1)", "P(type 2)", "Hbeta wings", "Hbeta wings bad", "cause"]


def answers(frame: pd.DataFrame, machine: agnsal.ProbabilisticSVC) -> pd.DataFrame:
    """What explain_dataset says of a partition; of an empty one, by which LSDB learns the columns, an empty frame."""
    if not len(frame):
        texts = ("object_id", "predicted", "cause")
        return pd.DataFrame({name: pd.Series(dtype=str if name in texts else float) for name in COLUMNS})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pd.DataFrame(frame).to_parquet(folder / "partition.parquet", index=False)
        dataset = agnsal.open_dataset(folder / "partition.parquet")
        result = agnsal.explain_dataset(machine, dataset, GRID, folder / "answers", lines=["Hbeta"])
        return result.table(COLUMNS).to_pandas().set_axis(frame.index)


def small_catalogue(sample: agnsal.SpectralSample) -> pd.DataFrame:
    """Spectra in the layout of the Multimodal Universe, at two places of the sky."""
    redshift = np.asarray(sample.redshift)
    observed = [sample.grid.centers.value * (1 + z) for z in redshift]
    spectra = [
        {"flux": flux, "ivar": ivar, "lambda": wavelength}
        for flux, ivar, wavelength in zip(sample.flux, sample.ivar, observed, strict=True)
    ]
    n = len(sample)
    place = {"ra": np.where(np.arange(n) % 2, 10.0, 200.0) + 1e-3 * np.arange(n), "dec": np.linspace(-10, 10, n)}
    # as SDSS has them: the columns by which the reader knows that wavelengths are in vacuum
    known = {"Z": redshift, "Z_ERR": np.full(n, 1e-4), "VDISP": np.full(n, 200.0)}
    return pd.DataFrame({"object_id": sample.ids, **place, **known, "spectrum": spectra})


def main() -> None:
    """Compare what comes through LSDB with what the machine says itself."""
    training = agnsal.simulate_agn(60, 60, 0, seed=0).normalize()
    machine = agnsal.ProbabilisticSVC("rbf", C=34.0, gamma=0.003, n_landmarks=50, random_state=0).fit(training)
    sample = agnsal.simulate_agn(15, 15, 0, seed=1)
    catalogue = lsdb.from_dataframe(small_catalogue(sample), ra_column="ra", dec_column="dec", partition_rows=10)
    found = catalogue.map_partitions(answers, machine).compute().set_index("object_id").loc[list(sample.ids)]
    print(found.head())
    assert (found["cause"] == "").all()
    np.testing.assert_allclose(found["P(type 1)"], machine.predict_proba(sample.normalize())[:, 0], atol=0.05)
    print(f"{len(found)} spectra of {catalogue.npartitions} partitions: as asked directly")


if __name__ == "__main__":
    main()
