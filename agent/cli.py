"""The command line. Each command imports what it needs when it is called, so that ``outrider --help`` is instant."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click
import msgspec

from agent.errors import ConfigError, OutriderError

if TYPE_CHECKING:
    from agent.profile.build import Progress
    from agent.profile.format import Profile

FEW_ROWS = 100
"""The default of ``OUTRIDER_MIN_ROWS``."""


class Failure(click.ClickException):
    """An error that the user can do something about: told in one line a fault, without a traceback; exit 1."""

    def show(self, file: object = None) -> None:  # noqa: ARG002 - click's signature
        """Write every fault to standard error."""
        for line in self.format_message().splitlines():
            click.echo(f"outrider: {line}", err=True)


class ConfigFailure(Failure):
    """Faults of the configuration: exit 2."""

    exit_code = 2


class OwnFailure(Failure):
    """A fault of Outrider's own: exit 3, which says nothing about data."""

    exit_code = 3

    @classmethod
    def of(cls, error: Exception) -> OwnFailure:
        """Say in one line what went wrong, and where."""
        *_, frame = traceback.extract_tb(error.__traceback__) or [traceback.FrameSummary("?", 0, "?")]
        what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        return cls(f"an error inside Outrider, please report it: {what} ({Path(frame.filename).name}:{frame.lineno})")


@contextmanager
def _told() -> Iterator[None]:
    """Turn errors into messages; configuration faults exit with 2, other errors on purpose with 1, our own faults with 3."""
    try:
        yield
    except ConfigError as error:
        raise ConfigFailure(str(error)) from error
    except OutriderError as error:
        raise Failure(str(error)) from error
    except Exception as error:
        if isinstance(error, (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError)):
            raise
        raise OwnFailure.of(error) from error


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="outrider", prog_name="outrider", message="%(prog)s %(version)s")
def main() -> None:
    """Outrider rides beside a model server and tells when the model's world has changed."""


@main.command()
def run() -> None:
    """Relay inference calls and watch them. Configured by OUTRIDER_* and OTEL_* variables."""
    from agent.sidecar import run as run_sidecar  # noqa: PLC0415

    with _told():
        code = run_sidecar(os.environ)
    sys.exit(code)


@main.command()
@click.option("--markdown", is_flag=True, help="Print the table of all settings as Markdown, with defaults.")
def config(*, markdown: bool) -> None:
    """Print every setting with its effective value."""
    from agent.config import describe, load  # noqa: PLC0415

    if markdown:
        click.echo(settings_table())
        return
    with _told():
        described = describe(load(os.environ))
    names = max(len(setting.name) for setting, _ in described)
    values = max(len(value) for _, value in described)
    for setting, value in described:
        click.echo(f"{setting.name:<{names}}  {value:<{values}}  {setting.meaning}".rstrip())


def settings_table() -> str:
    """Give the README's table of settings in Markdown."""
    from agent.config import SETTINGS  # noqa: PLC0415

    rows = [f"| `{s.name}` | {s.type} | {f'`{s.default}`' if s.default else 'empty'} | {s.meaning} |" for s in SETTINGS]
    return "\n".join(["| setting | type | default | meaning |", "| --- | --- | --- | --- |", *rows])


@main.group()
def profile() -> None:
    """Build and look at training profiles."""


@profile.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="The profile file; gzipped if it ends in .gz."
)
@click.option("--label", help="The column of true values.", metavar="COLUMN")
@click.option("--prediction", help="The column of the model's answers.", metavar="COLUMN")
@click.option("--probability", multiple=True, help="A column of class probabilities; repeatable.", metavar="COLUMN")
@click.option("--id", multiple=True, help="A column of row ids; repeatable.", metavar="COLUMN")
@click.option("--time", multiple=True, help="A column of times; repeatable.", metavar="COLUMN")
@click.option("--segment", multiple=True, help="A column that is no input but tells groups apart; repeatable.", metavar="COLUMN")
@click.option(
    "--by",
    multiple=True,
    help="Cut training by a column (country) or a comparison (age<25), to compare traffic segment by segment; repeatable.",
    metavar="GROUPS",
)
@click.option("--favourable", default="", help="Which prediction is favourable: approved, or >=0.5.", metavar="VALUE")
@click.option("--chunk", default="", help="Learn what is normal from chunks of so many rows (5000) or so long a time (1h).")
@click.option("--exclude", multiple=True, help="A column to leave out; repeatable.", metavar="COLUMN")
@click.option("--categorical", multiple=True, help="A column of codes, not of quantities; repeatable.", metavar="COLUMN")
@click.option("--numeric", multiple=True, help="A column of quantities, not of codes; repeatable.", metavar="COLUMN")
@click.option("--text", multiple=True, help="A column of free text, not of categories; repeatable.", metavar="COLUMN")
@click.option("--model-name", default="", help="Copied into the profile.")
@click.option("--model-version", default="", help="Copied into the profile.")
@click.option("--task", type=click.Choice(["regression", "classification"]), help="Inferred if not given.")
@click.option("--trained-at", default="", help="When the model was trained; copied into the profile.")
def build(data: tuple[Path, ...], output: Path, task: str | None, **named: Any) -> None:
    """Learn what a model was trained on from DATA: CSV or Parquet files, or a folder of Parquet files.

    Columns without a role are the model's inputs, in their order. Lists of numbers (vectors, images), image files and free text
    are watched through summaries, such as a vector's norm or a text's length.
    """
    from agent.profile.build import build as build_profile  # noqa: PLC0415
    from agent.profile.write import write  # noqa: PLC0415

    doubts: list[str] = []
    with _told(), _progress() as progress:
        built = build_profile(list(data), task=task or "", progress=progress, warn=doubts.append, **named)
        size = write(built, output)
    if built.rows < FEW_ROWS:
        doubts.append(f"only {built.rows:,} rows: nothing is decided against fewer than OUTRIDER_MIN_ROWS, {FEW_ROWS} by default")
    for doubt in doubts:
        click.echo(f"warning: {doubt}", err=True)
    click.echo(_summary(built, output, size))


@profile.command()
@click.argument("path", type=click.Path(path_type=Path))
def show(path: Path) -> None:
    """Print a profile readably."""
    from agent.profile.read import read  # noqa: PLC0415
    from agent.profile.show import show as print_profile  # noqa: PLC0415

    with _told():
        print_profile(read(path))


@main.command()
@click.argument("profile", type=click.Path(path_type=Path))
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "json_path", help="Write the report as JSON; - is standard output, instead of the text.", metavar="FILE")
@click.option("--html", "html_path", help="Write the report as a page with histograms, one file.", metavar="FILE")
@click.option(
    "--min-rows", type=click.IntRange(min=1), help="Decide nothing below this; OUTRIDER_MIN_ROWS if not given.", metavar="N"
)
def compare(profile: Path, data: tuple[Path, ...], json_path: str | None, html_path: str | None, min_rows: int | None) -> None:
    """Compare DATA with a PROFILE: the sidecar's report of CSV or Parquet files, or of a folder of Parquet files.

    Columns are told by their names. All of the data is compared as one, with the tolerances of the OUTRIDER_* variables;
    segments and groups too, if OUTRIDER_SEGMENTS and OUTRIDER_GROUPS name some. Ends with 0 if nothing drifted, 1 if a column
    or a segment drifted, columns go together otherwise or a group is unlike the others, 2 if the data, the profile or a
    setting can't be used, 3 after an error inside Outrider.
    """
    from agent.compare.compare import compare as compare_data  # noqa: PLC0415
    from agent.compare.page import page  # noqa: PLC0415
    from agent.compare.show import show as print_comparison  # noqa: PLC0415
    from agent.evaluate.report import Decision  # noqa: PLC0415

    with _told():
        try:
            with _progress() as progress:
                found = compare_data(profile, list(data), min_rows=min_rows, progress=progress)
            if html_path is not None:
                _write(html_path, page(found).encode())
            if json_path is not None:
                _write(json_path, msgspec.json.encode(found) + b"\n")
        except OutriderError as error:
            raise ConfigFailure(str(error)) from error
        if json_path != "-" and html_path != "-":
            print_comparison(found)
    if found.decision in (Decision.INSUFFICIENT, Decision.NO_REFERENCE):
        click.echo("warning: nothing could be decided; see the report", err=True)
    sys.exit(1 if found.decision is Decision.DRIFTED else 0)


def _write(path: str, content: bytes) -> None:
    try:
        with click.open_file(path, "wb") as file:
            file.write(content)
    except OSError as error:
        raise OutriderError(f"{path}: can't be written: {error.strerror}") from error


@main.group()
def routes() -> None:
    """Find out what to write into OUTRIDER_ROUTES."""


@routes.command()
@click.argument("files", nargs=-1, required=True, type=click.File("rb"))
@click.option("--path", default="", help="Where a sample is sent, such as /predict or /models/{model}/score.", metavar="PATH")
@click.option("--method", default="POST", help="How a sample is sent.", type=click.Choice(["POST", "PUT", "PATCH"]))
def suggest(files: tuple[BinaryIO, ...], path: str, method: str) -> None:
    """Print the routes that would read what FILES show, and why.

    FILES are an OpenAPI document (JSON); or a sample of a request and, if you have it, of its response, each as JSON or as raw
    HTTP. `-` is standard input.
    """
    from agent.suggest.write import suggest as suggest_routes  # noqa: PLC0415

    with _told():
        if len(files) > 2:
            raise ConfigError(["give one OpenAPI document, or a request and its response"])
        click.echo(suggest_routes([file.read() for file in files], path, method))


@main.command()
@click.option("--seconds", type=float, help="End by itself after so long, 20 or more; otherwise on Ctrl-C.", metavar="N")
def demo(seconds: float | None) -> None:
    """Watch Outrider find a disturbance, on this machine."""
    from agent.demo.run import run_demo  # noqa: PLC0415

    with _told():
        code = run_demo(seconds=seconds)
    sys.exit(code)


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """Draw a bar on standard error, if that is a terminal."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    parts = (TextColumn("{task.description:<24}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[rows]}"))
    with Progress(*parts, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("reading", total=None, rows="")

        def report(stage: str, done: int, rows: int) -> None:
            bar.update(task, description=stage, completed=done, total=rows, rows=f"{done:,} of {rows:,} rows")

        yield report


def _summary(built: Profile, output: Path, size: int) -> str:
    from agent.profile.balance import describe as describe_balance  # noqa: PLC0415
    from agent.profile.chunks import describe  # noqa: PLC0415

    counts: dict[str, int] = {}
    for column in built.columns:
        counts[column.type] = counts.get(column.type, 0) + 1
    types = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    lines = [f"{output}: {built.rows:,} rows, {len(built.columns)} columns ({types}), {size / 1024:,.1f} KiB"]
    lines += [f"{p.measure} {p.value:.4g} on {p.rows:,} rows" for p in built.performance]
    if any(summarised.kind == "image_file" and "brightness" not in summarised.measures for summarised in built.summaries):
        lines.append("the brightness of image files isn't in it, which takes Pillow: pip install 'outrider[images]'")
    if built.chunks is not None:
        lines.append(f"learned what is normal from {describe(built.chunks)}")
    lines += describe_balance(built)
    if size > 1 << 20:
        lines.append("this is more than the 1 MiB that a ConfigMap holds: write it to a name that ends in .gz")
    return "\n".join([*lines, f"look at it: outrider profile show {output}"])
