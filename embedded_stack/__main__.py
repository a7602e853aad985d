"""`python -m embedded_stack up | down | status`: what `make up`, `make down` and `make status` run."""

import logging
import sys
import time
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from embedded_stack import example_query, playlists
from embedded_stack.airflow_api import AirflowApi
from embedded_stack.components import AIRFLOW, components
from embedded_stack.dag_runs import Outcome, Pipeline
from embedded_stack.environment import airflow_login, is_loopback, local_address, mlflow_address
from embedded_stack.errors import StackError, StackGone
from embedded_stack.processes import Processes
from embedded_stack.progress import Progress, clock
from embedded_stack.servers import Servers, stop_servers
from framesearch.errors import FramesearchError
from framesearch.models.mlflow_pages import model_page
from framesearch.settings import Settings, load_settings
from framesearch.system.privacy import close_to_others

_BUSY_S = 300.0  # for another command that starts or stops the same stack

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)
console = Console(highlight=False)


@app.command()
def up(
    playlist: Annotated[
        list[str] | None, typer.Argument(help="Addresses or folders; none: what is followed, or a small demo.")
    ] = None,
) -> None:
    """Start the stack, ingest the playlists, train, index, and answer one example query."""
    settings = load_settings()
    if hint := close_to_others(settings):
        _say(hint, "red")
    chosen, with_demo = playlists.choose(playlist or [], settings)
    processes = Processes(settings.home)
    with Progress(console) as progress:
        servers = Servers(settings, with_demo=with_demo, tell=progress.tell)
        progress.tell(f"starting Airflow, MLflow and the search page in {settings.home}")
        with processes.locked(_BUSY_S):
            servers.start()
        servers.wait_until_healthy(AIRFLOW[:3])
        progress.tell("Airflow runs")

        def alive() -> None:
            if dead := servers.dead():
                raise StackError(
                    f"{dead[0].title} has ended, see {processes.log_file(dead[0].name)}: `make up` starts it again "
                    "and picks up from here"
                )
            if not processes.records():
                raise StackGone("the stack was stopped: `make up` continues from here")

        address = local_address(settings, settings.airflow_port)
        api = AirflowApi(address, airflow_login(settings))
        settings_of_servers = settings.model_copy(update={"mlflow_tracking_uri": mlflow_address(settings)})
        outcome = Pipeline(api, address, settings_of_servers, progress, alive).run(chosen)
        servers.wait_until_healthy()
    _report(settings, outcome)
    raise typer.Exit(1 if outcome.failures else 0)


def _report(settings: Settings, outcome: Outcome) -> None:
    """What failed, the links, the login, and one answered query."""
    for failure in outcome.failures:
        _say(f"FAILED {failure.dag_id}, {failure.task}: {failure.reason}", "red")
        _say(f"       log: {failure.log}")
    for reason in outcome.skipped:
        _say(f"skipped {reason}", "yellow")
    _say("")
    _say(f"Airflow      {settings.link(settings.airflow_port)}  (pipeline runs)")
    mlflow = settings.mlflow_tracking_uri or settings.link(settings.mlflow_port)
    _say(f"MLflow       {model_page(mlflow) or mlflow}  (models and their trainings)")
    _say(f"Search page  {settings.link(settings.page_port)}")
    if login := airflow_login(settings):
        _say(f"Airflow asks for a login: {login.user}, password {login.password}")
    if not is_loopback(settings.host):
        _say(
            f"FRAMESEARCH_HOST={settings.host}: others reach MLflow and the search page, which ask for no login", "red"
        )
    if outcome.approval:
        _say(f"a new model version waits for your approval: {outcome.approval}", "yellow")
    if outcome.training:
        _say("another model is still training; the page switches to it if it wins")
    _say("")
    _answer_example(settings)


def _answer_example(settings: Settings) -> None:
    example = example_query.answered_example(settings)
    if example is None:
        _say("nothing is ingested yet, so there is no example to ask about")
        return
    _say(f"an example, a frame of “{example.title}” at {clock(example.timestamp_s)} that is not in the index:")
    _say(f"  $ framesearch search {example.picture}")
    answer = example.answer
    if answer.get("error"):
        _say(f"  {answer['error']}", "yellow")
    elif not answer["matches"]:
        _say("  not in the library")
    else:
        best = answer["matches"][0]
        sure = f"confidence {best['confidence']:.2f}, {answer['elapsed_ms']:.0f} ms"
        found = "" if answer["found"] else "not sure enough, but perhaps "
        _say(f"  {found}“{best['title']}” at {clock(best['timestamp_s'])} ({sure})  {best['url']}", "green")


@app.command()
def down() -> None:
    """Stop everything that `up` started; the data stays."""
    settings = load_settings()
    close_to_others(settings)
    with Processes(settings.home).locked(_BUSY_S):
        ran = stop_servers(settings, _say)
    _say(f"stopped; the data stays in {settings.home}" if ran else f"nothing of {settings.home} runs")


@app.command()
def status() -> None:
    """What of the stack runs, and where."""
    settings = load_settings()
    processes = Processes(settings.home)
    records = processes.records()
    for part in components(settings, with_demo="demo-feed" in records):
        record = processes.running(part.name)
        where = settings.link(record.port) if record and record.port else ""
        if record:
            state = f"runs as process {record.pid} for {clock(time.time() - record.created)}"
        else:
            state = f"has ended, see {processes.log_file(part.name)}" if part.name in records else "is stopped"
        _say(" ".join(f"{part.title} {state} {where}".split()))


def _say(line: str, style: str = "") -> None:
    console.print(Text(line, style=style), soft_wrap=True)


def main() -> int:
    """Run a command; failures that were foreseen are one line, not a traceback."""
    logging.basicConfig(level=logging.WARNING)
    try:
        return app(standalone_mode=False) or 0
    except (StackError, FramesearchError) as error:
        _say(str(error), "red")
        return 1
    except typer.Exit as ended:
        return ended.exit_code
    except (KeyboardInterrupt, typer.Abort):
        _say("the servers keep running: `make up` picks up from here, `make down` stops them", "yellow")
        return 130
    except typer.TyperException as error:
        _say(str(error), "red")
        return 2


if __name__ == "__main__":
    sys.exit(main())
