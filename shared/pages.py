"""Pages that are filled on the server, for paper and for a browser."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def pages(module: str) -> Environment:
    """The templates in the folder `pages` beside a module; a name that one is not given is an error."""
    folder = Path(module).with_name("pages")
    return Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined)
