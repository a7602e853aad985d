"""When DAGs run: at an hour, or when an asset is announced."""

from datetime import timedelta

from airflow.sdk import Asset, AssetOrTimeSchedule, CronTriggerTimetable


def daily_or(asset: Asset) -> AssetOrTimeSchedule:
    """Every night at three (UTC), and whenever the asset is announced."""
    return _at("0 3 * * *", asset)


def weekly_or(asset: Asset) -> AssetOrTimeSchedule:
    """Every Sunday at four (UTC), and whenever the asset is announced."""
    return _at("0 4 * * 0", asset)


def _at(cron: str, asset: Asset) -> AssetOrTimeSchedule:
    # A DAG that is switched on waits for its next hour. (False would make up for the last one where that is not long
    # past, so that the first training would begin before the first frame.)
    return AssetOrTimeSchedule(
        timetable=CronTriggerTimetable(cron, timezone="UTC", run_immediately=timedelta(0)), assets=[asset]
    )
