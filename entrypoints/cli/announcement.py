"""Print the service's address, and once the sample users and the setup link."""

from dataclasses import dataclass
from multiprocessing.synchronize import Event

import typer

from application.settings import Settings
from application.use_cases import UseCases
from application.use_cases.sample_users import SAMPLE_PASSWORD, SAMPLE_USERS
from entrypoints.cli.operating import address


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """Prints the service's address, and once the sample users and the setup link. It must be picklable, because a
    reloading server sends it to a child process."""

    settings: Settings
    is_made: Event | None = None
    """Set after the first announcement, in all processes. None for a server that does not reload."""

    async def make(self, use_cases: UseCases | None) -> None:
        """`use_cases` is None for a service that could not be built."""
        here = address(self.settings)
        typer.echo(f"Serving at {here} (Ctrl+C stops)")
        if use_cases is None or (self.is_made is not None and self.is_made.is_set()):
            return
        if self.settings.sample_users:
            emails = " and ".join(email for email, _ in SAMPLE_USERS)
            typer.echo(f"Sample users: {emails}, password {SAMPLE_PASSWORD}")
        if token := await use_cases.offer_setup():
            typer.echo("There is no admin yet. Open this link within 15 minutes to make one:")
            typer.echo(f"  {here}/setup?token={token}")
        if self.is_made is not None:
            self.is_made.set()
