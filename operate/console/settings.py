"""What the console is given by its environment."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from operate.places import SERVICES, http_port


class Settings(BaseSettings):
    """`services_base` is followed by each service's port, or holds `{name}` and `{port}` itself."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")
    http_host: str = "127.0.0.1"
    http_port: int
    base_port: int = 8100
    services_base: str = "http://127.0.0.1"
    oidc_issuer: str
    oidc_audience: str = "tsunagu"
    console_private_jwks: Path
    development: bool = False

    def service(self, name: str) -> str:
        """A service's base URL."""
        base = self.services_base
        if "{" not in base:
            base += ":{port}"
        return base.format(name=name, port=http_port(self.base_port, name))

    @property
    def services(self) -> dict[str, str]:
        return {name: self.service(name) for name in SERVICES}
