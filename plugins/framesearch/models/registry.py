"""The model registry: which encoder is the champion, and where its file is. The only user of mlflow in the library.

Works against an MLflow server or, embedded, directly on its database; both see the same runs, models and artifacts.
mlflow takes seconds to import, so that happens at the first call that needs it.
"""

import contextlib
import errno
import hashlib
import json
import logging
import os
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framesearch.database_urls import sqlite_file
from framesearch.errors import (
    ChallengerNotBetter,
    ChampionMoved,
    EncoderInvalid,
    NoChampion,
    NoModelVersion,
    RegistryUnreachable,
)
from framesearch.models.mlflow_database import make_database
from framesearch.models.mlflow_errors import absent_as_none, first_line, is_unreachable, mlflow_error
from framesearch.models.mlflow_pages import EXPERIMENT, present, run_page
from framesearch.models.relocation import adopt_artifacts
from framesearch.models.versions import (
    BETTER,
    CATALOGUE_FRAMES,
    CHAMPION,
    ENCODER_PATH,
    ENCODER_SHA256,
    FAMILY,
    IMPORTED,
    JUDGED_AGAINST,
    JUDGED_IN,
    LICENCE,
    MODEL,
    NO_CHAMPION,
    ORIGIN,
    PREPROCESSING,
    REASON,
    SOURCE,
    VERDICT,
    ModelVersion,
)
from framesearch.settings import Settings
from framesearch.system.disk import scratch_folder

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)


class Registry:
    """The registered model `frame-encoder` in the MLflow that the settings name.

    Every call raises RegistryUnreachable where MLflow does not answer within a few retries.
    """

    def __init__(self, settings: Settings) -> None:
        self.uri = settings.mlflow
        self.home = settings.home
        self._artifacts = settings.mlflow_artifacts
        self._scratch = settings.scratch
        self._client: MlflowClient | None = None

    # ---- reading

    def champion(self) -> ModelVersion:
        """The version that carries the alias `champion`.

        Raises:
            NoChampion: none does.
        """
        if self._not_made_yet():
            raise self._no_champion()
        with self._reaching():
            found = absent_as_none(lambda: self.client.get_model_version_by_alias(MODEL, CHAMPION))
            if found is None:
                raise self._no_champion()
            return self._version(found, champion=str(found.version))

    def version(self, version: str) -> ModelVersion:
        """One version.

        Raises:
            NoModelVersion: the registry does not hold it.
        """
        if self._not_made_yet():
            raise self._no_version(version)
        with self._reaching():
            found = absent_as_none(lambda: self.client.get_model_version(MODEL, version))
            if found is None:
                raise self._no_version(version)
            return self._version(found, champion=self._champion_version())

    def versions(self) -> list[ModelVersion]:
        """All versions, newest first."""
        if self._not_made_yet():
            return []
        with self._reaching():
            found: list[Any] = []
            page = None
            while True:
                batch = self.client.search_model_versions(f"name = '{MODEL}'", max_results=100, page_token=page)
                found += batch
                page = batch.token
                if not page:
                    break
            champion = self._champion_version() if found else None
            return [self._version(one, champion) for one in sorted(found, key=lambda one: -int(one.version))]

    def encoder_file(self, version: str) -> Path:
        """The ONNX encoder of a version, fetched once and kept below the home folder.

        Raises:
            NoModelVersion: the registry does not hold the version.
            EncoderInvalid: what the registry holds is not the file that was registered.
        """
        known = self.version(version)
        # A registry made anew counts from 1 again: the run tells its versions from those before.
        cached = self.home / "cache" / "encoders" / f"v{known.version}-{known.run_id[:12]}.onnx"
        if cached.is_file():
            return cached
        started = time.monotonic()
        cached.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(self._scratch) as folder, self._reaching():
            from mlflow import artifacts

            try:
                fetched = artifacts.download_artifacts(
                    artifact_uri=f"{self._model_address(known.version)}/{ENCODER_PATH}",
                    dst_path=str(folder),
                    tracking_uri=self.uri,
                )
            except (mlflow_error(), OSError) as error:
                if is_unreachable(error) or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
                    raise
                raise EncoderInvalid(
                    f"MLflow holds no encoder for {MODEL} version {version} ({first_line(error)}): "
                    "promote another version, or train a new one"
                ) from error
            file = Path(fetched)
            if hashlib.sha256(file.read_bytes()).hexdigest() != known.encoder_sha256:
                raise EncoderInvalid(
                    f"the encoder that MLflow holds for {MODEL} version {version} is not the one registered: "
                    "promote another version, or train a new one"
                )
            file.replace(cached)  # whole or not at all, whoever else fetches it
        log.info("encoder of version %s fetched, %.1f s", version, time.monotonic() - started)
        return cached

    def model_address(self, version: str) -> str:
        """Where the logged model of a version lies, as MLflow takes it: a folder of artifacts.

        Raises:
            NoModelVersion: the registry does not hold the version.
        """
        known = self.version(version)
        with self._reaching():
            return self._model_address(known.version)

    def _model_address(self, version: str) -> str:
        source = self.client.get_model_version(MODEL, version).source or ""
        if source.startswith("models:/"):  # mlflow would look it up in the registry of the process, see `register`
            return str(self.client.get_logged_model(source.removeprefix("models:/")).artifact_location)
        return str(source)

    # ---- writing

    def promote(self, version: str, reason: str, *, force: bool = False) -> None:
        """Move the alias `champion` to a version, and write the reason on it. Promoting the champion changes nothing.

        Args:
            force: also a version that was not judged better, or against another champion: an operator's roll-back.

        Raises:
            NoModelVersion: the registry does not hold the version.
            ChallengerNotBetter: it was judged not better than the champion.
            ChampionMoved: it was judged against a champion that is champion no more.
        """
        challenger = self.version(version)
        if challenger.champion:
            return
        with self._reaching():
            champion = self._champion_version()
        if not force and challenger.verdict != BETTER:
            raise ChallengerNotBetter(
                f"{MODEL} version {version} stays a challenger: {challenger.reason or 'it was never judged'}"
            )
        if not force and challenger.judged_against != champion:
            raise ChampionMoved(
                f"{MODEL} version {version} was judged against {_called(challenger.judged_against)}, "
                f"but {_called(champion)} is champion now: `framesearch model judge {version}` asks again"
            )
        with self._reaching():
            now = datetime.now(UTC).isoformat(timespec="seconds")
            self.client.set_model_version_tag(MODEL, version, "promoted_at", now)
            self.client.set_model_version_tag(MODEL, version, "promoted_because", reason[:5000])
            described = self.client.get_model_version(MODEL, version).description or ""
            promoted = f" in place of {_called(champion)}: {reason}"
            if not described.endswith(promoted):  # as it does where an earlier attempt was killed here
                described = f"{described}\n\nPromoted {now}{promoted}".strip()
                self.client.update_model_version(MODEL, version, description=described)
            self.client.set_registered_model_alias(MODEL, CHAMPION, version)  # last: who sees it sees all of it
        log.info("version %s is champion now in place of %s: %s", version, _called(champion), reason)

    def register(self, *, run_id: str, model_id: str, description: str, tags: Mapping[str, Any]) -> str:
        """Register a logged model as a new version, told apart by its tags; the version's number."""
        with self._reaching():
            if absent_as_none(lambda: self.client.get_registered_model(MODEL)) is None:
                with contextlib.suppress(mlflow_error()):  # somebody else may make it at the same time
                    self.client.create_registered_model(
                        MODEL,
                        description="Encoders of video frames: uint8 (N, H, W, 3) RGB in, unit-norm float32 (N, D) "
                        "out. The version under the alias `champion` is the one that the index and the page use.",
                    )
            # Without a server mlflow would look models:/... up in the tracking store of the process, whatever it is.
            direct = not self.uri.startswith("http")
            source = self.client.get_logged_model(model_id).artifact_location if direct else f"models:/{model_id}"
            made = self.client.create_model_version(
                MODEL,
                source,
                run_id=run_id,
                tags={name: str(value)[:5000] for name, value in tags.items()},
                description=description,
                model_id=model_id,
                await_creation_for=60,
            )
            # How MLflow's page of the run's model links to its version.
            linked = json.dumps([{"name": MODEL, "version": str(made.version)}])
            self.client.set_logged_model_tags(model_id, {"mlflow.modelVersions": linked})
            return str(made.version)

    def record_judgement(self, version: str, run_id: str, tags: Mapping[str, Any], description: str) -> None:
        """Write a later judgement on a version, in place of the one before.

        Args:
            run_id: of the MLflow run with its figures.

        Raises:
            NoModelVersion: the registry does not hold the version.
        """
        self.version(version)
        with self._reaching():
            for name, value in {**tags, JUDGED_IN: run_id}.items():
                self.client.set_model_version_tag(MODEL, version, name, str(value)[:5000])
            described = self.client.get_model_version(MODEL, version).description or ""
            now = datetime.now(UTC).isoformat(timespec="seconds")
            told = f"{described}\n\nJudged again {now}. {description}".strip()
            self.client.update_model_version(MODEL, version, description=told[-5000:])

    def experiment_id(self) -> str:
        """The experiment that trainings are runs of, made and described where it is not."""
        with self._reaching():
            experiment_id = self._experiment_id()
            present(self.client, experiment_id)
            return experiment_id

    def _experiment_id(self) -> str:
        found = self.client.get_experiment_by_name(EXPERIMENT)
        if found is not None:
            if found.lifecycle_stage == "deleted":
                self.client.restore_experiment(found.experiment_id)
            return str(found.experiment_id)
        from mlflow.exceptions import MlflowException

        # Without a server there is nobody to say where artifacts lie: where `mlflow_server` puts them too.
        location = None if self.uri.startswith("http") else self._artifacts.as_uri()
        try:
            return str(self.client.create_experiment(EXPERIMENT, artifact_location=location))
        except MlflowException:
            made = self.client.get_experiment_by_name(EXPERIMENT)  # somebody else was quicker
            if made is None:
                raise
            return str(made.experiment_id)

    # ---- reaching MLflow

    def check(self) -> None:
        """Return if MLflow answers.

        Raises:
            RegistryUnreachable: it does not.
        """
        with self._reaching():
            self.client.search_experiments(max_results=1)

    def run_url(self, experiment_id: str, run_id: str) -> str | None:
        """The run's page in MLflow's UI; None without a server."""
        return run_page(self.uri, experiment_id, run_id)

    @property
    def client(self) -> "MlflowClient":
        """MLflow's client of this registry, made at first use."""
        if self._client is None:
            prepare_environment()
            if database := sqlite_file(self.uri):
                try:
                    make_database(database)
                except OSError as error:
                    raise ConnectionError(f"{database} can't be made: {error.strerror}") from error
                if database == self.home / "mlflow" / "mlflow.db":
                    adopt_artifacts(self.home)
            from mlflow import MlflowClient

            self._client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
        return self._client

    def _not_made_yet(self) -> bool:
        """Whether the embedded database does not even exist: asking must not take the seconds that making it takes."""
        database = sqlite_file(self.uri)
        return database is not None and not database.is_file()

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        """Turn whatever mlflow raises when nobody answers into one error that names the address."""
        prepare_environment()
        try:
            yield
        except Exception as error:
            if not is_unreachable(error):
                raise
            raise RegistryUnreachable(
                f"MLflow at {self._address()} did not answer ({first_line(error)}): see that its server runs "
                "(`make up` starts it) and that FRAMESEARCH_MLFLOW_TRACKING_URI names it, then run this again"
            ) from error

    def _address(self) -> str:
        return self.uri.rpartition("@")[2]

    def _champion_version(self) -> str | None:
        found = absent_as_none(lambda: self.client.get_model_version_by_alias(MODEL, CHAMPION))
        return None if found is None else str(found.version)

    def _version(self, found: Any, champion: str | None) -> ModelVersion:
        tags = found.tags
        run = absent_as_none(lambda: self.client.get_run(found.run_id)) if found.run_id else None
        judged_in = tags.get(JUDGED_IN)
        judgement = absent_as_none(lambda: self.client.get_run(judged_in)) if judged_in else run
        against = tags.get(JUDGED_AGAINST, NO_CHAMPION)
        return ModelVersion(
            version=str(found.version),
            run_id=found.run_id or "",
            run_url=self.run_url(run.info.experiment_id, run.info.run_id) if run else None,
            family=tags.get(FAMILY, ""),
            metrics=dict(judgement.data.metrics) if judgement else {},
            verdict=tags.get(VERDICT, ""),
            reason=tags.get(REASON, ""),
            judged_against=None if against == NO_CHAMPION else against,
            catalogue_frames=int(tags.get(CATALOGUE_FRAMES, 0)),
            encoder_sha256=tags.get(ENCODER_SHA256, ""),
            champion=str(found.version) == champion,
            created_at=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC),
            imported=tags.get(ORIGIN) == IMPORTED,
            source=tags.get(SOURCE, ""),
            licence=tags.get(LICENCE, ""),
            preprocessing=tags.get(PREPROCESSING, ""),
        )

    @staticmethod
    def _no_champion() -> NoChampion:
        return NoChampion(
            f"no version of {MODEL} is champion yet: run `framesearch run PLAYLIST`, or the DAG retrain_encoder"
        )

    @staticmethod
    def _no_version(version: str) -> NoModelVersion:
        return NoModelVersion(
            f"the registry holds no version {version} of {MODEL}: `framesearch model list` shows them"
        )


def prepare_environment() -> None:
    """Bounded patience and no telemetry, unless the environment says otherwise. Before mlflow is imported."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # by default minutes pass before an error
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")


def _called(version: str | None) -> str:
    return f"version {version}" if version else "no champion"
