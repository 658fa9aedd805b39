"""The comparison with peers: see docs/BENCHMARKS.md. Started by `run`, which sets all up."""

import argparse
import json
import sys
import time
from pathlib import Path

import machine
from document import write_section


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benches/peers/run", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("engine", "formats", "service", "all"), default="all")
    parser.add_argument("--cache", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--release", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--engine-rounds", type=int, default=5)
    parser.add_argument("--engine-seconds", type=float, default=0.5, help="of one contender on one file")
    parser.add_argument("--service-rounds", type=int, default=3)
    parser.add_argument("--service-seconds", type=float, default=8, help="of one service on one set")
    parser.add_argument("--only", help="measure only what has this word in its name")
    parser.add_argument("--dry-run", action="store_true", help="print, and leave docs/BENCHMARKS.md alone")
    return parser.parse_args()


def progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def run_service(options: argparse.Namespace) -> str:
    from service import contenders, measure, report
    from service.servers import Servers

    services = contenders.services(options.cache, options.release / "thumbforge")
    servers = Servers(options.cache / "photos")
    try:
        bench = measure.Bench(servers, options.release / "examples/submit_load")
        results = measure.run_rounds(bench, services, options, progress)
    finally:
        servers.stop()
    (options.cache / "service.json").write_text(json.dumps(results, indent=1))
    how = (f"{options.service_rounds} rounds of {options.service_seconds:g} s for each service and set, all on"
           f" this one machine: {machine.server_versions()}. {machine.versions(options.cache)}.")
    return f"{how}\n\n{report.report(results, services)}"


def run_engine(options: argparse.Namespace) -> str:
    from engine import contenders, measure, report, variants

    engines = contenders.engines(options.cache, options.release)
    found = measure.measure(engines, options.cache / "photos", options, progress)
    found["variants"] = variants.measure(engines, options.cache / "photos", options, progress)
    (options.cache / "engine.json").write_text(json.dumps(found, indent=1))
    how = (f"{options.engine_rounds} rounds of {options.engine_seconds:g} s for each engine and file, two photos"
           f" of each kind. {machine.versions(options.cache)}.")
    return f"{how}\n\n{report.report(found, engines)}\n\n{variants.report(found['variants'])}"


def run_formats(options: argparse.Namespace) -> str:
    from engine import contenders, formats

    engines = contenders.engines(options.cache, options.release)
    found = formats.measure(engines, options.cache / "photos", options, progress)
    (options.cache / "formats.json").write_text(json.dumps(found, indent=1))
    how = (f"{options.engine_rounds} rounds of {options.engine_seconds:g} s for each engine and file, two photos"
           f" of each kind, on one processor. {machine.versions(options.cache)}.")
    return f"{how}\n\n{formats.report(found, options)}"


def main() -> None:
    options = arguments()
    parts = {"engine": run_engine, "formats": run_formats, "service": run_service}
    for name, run in parts.items():
        if options.what in (name, "all"):
            heading, begun = machine.heading(), time.monotonic()
            section = f"{heading} {run(options)}"
            section += f"\n\nThis part took {(time.monotonic() - begun) / 60:.1f} minutes."
            print(section)
            if options.dry_run or options.only:
                continue
            write_section(name, section)


main()
