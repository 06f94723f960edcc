"""Where profiles, state and logs live, and which profile a command works with.

`MIRRORCTL_HOME` is one folder in place of every platformdirs folder:

    config/profiles/*.toml   the user's profiles       config/profile   the name set by `profile use`
    state/<profile>/         store, socket, paper      state/locks/     one lock per profile and per account UID
    log/<profile>.log
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import platformdirs

import mirrorctl
from mirrorctl.core.domain.errors import ProfileError

HOME_VARIABLE = "MIRRORCTL_HOME"
PROFILE_VARIABLE = "MIRRORCTL_PROFILE"
DEFAULT_PROFILE = "paper"
_SUFFIX = ".toml"


@dataclass(frozen=True, slots=True)
class Home:
    """The folders of one user. Nothing is created by looking; `state_dir` and its kin name paths only."""

    config_dir: Path
    state_root: Path
    log_root: Path

    @property
    def profiles_dir(self) -> Path:
        """The user's own profiles."""
        return self.config_dir / "profiles"

    @property
    def locks_dir(self) -> Path:
        """Shared by all profiles: an account's lock must be the same file for each of them."""
        return self.state_root / "locks"

    def state_dir(self, profile: str) -> Path:
        return self.state_root / profile

    def store_path(self, profile: str) -> Path:
        return self.state_dir(profile) / "store.sqlite"

    def baseline_path(self, profile: str) -> Path:
        """What stood on main when each mirror was first seen: beside the store, and not lost with it."""
        return self.state_dir(profile) / "baseline.json"

    def paper_path(self, profile: str) -> Path:
        """The paper exchange's own file."""
        return self.state_dir(profile) / "paper.sqlite"

    def socket_path(self, profile: str) -> Path:
        """Where the daemon's command socket is wanted; the holder's record in the lock says where it is."""
        return self.state_dir(profile) / "daemon.sock"

    def log_path(self, profile: str) -> Path:
        return self.log_root / f"{profile}.log"

    def chosen(self) -> str | None:
        """What `profile use` set; None when nothing was."""
        try:
            text = self._choice_path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise ProfileError(
                f"{self._choice_path} cannot be read", "run `mirrorctl profile use NAME` again, or delete the file"
            ) from error
        return text or None

    def choose(self, reference: str) -> None:
        """Makes a name or path the default, from whatever folder. The file is replaced whole, never half written.

        Raises ProfileError where the folder does not take it.
        """
        if _is_path(reference):
            reference = str(Path(reference).expanduser().absolute())
        draft = self._choice_path.with_suffix(f".{os.getpid()}")
        try:
            self.config_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft.write_text(reference + "\n", encoding="utf-8")
            draft.replace(self._choice_path)
        except OSError as error:
            raise ProfileError(
                f"{self._choice_path} cannot be written: {error.strerror}", "see that the folder is yours and not full"
            ) from error

    @property
    def _choice_path(self) -> Path:
        return self.config_dir / "profile"


@dataclass(frozen=True, slots=True)
class Listed:
    """A profile that can be named. `shipped`: one of the examples that come with mirrorctl."""

    name: str
    path: Path
    shipped: bool


def find_home(environ: Mapping[str, str]) -> Home:
    """The folders by `MIRRORCTL_HOME`, or where this system keeps such things."""
    own = environ.get(HOME_VARIABLE, "")
    if own:
        root = Path(own).expanduser().absolute()
        return Home(root / "config", root / "state", root / "log")
    return Home(
        platformdirs.user_config_path("mirrorctl"),
        platformdirs.user_state_path("mirrorctl"),
        platformdirs.user_log_path("mirrorctl"),
    )


def default_reference(flag: str | None, environ: Mapping[str, str], home: Home) -> str:
    """The flag, then `MIRRORCTL_PROFILE`, then what `profile use` set, then `paper`."""
    return flag or environ.get(PROFILE_VARIABLE, "") or home.chosen() or DEFAULT_PROFILE


def find_profile(reference: str, home: Home) -> Path:
    """The file of NAME|PATH. A path has a separator or ends in .toml; a name is the user's, then a shipped one."""
    if _is_path(reference):
        path = Path(reference).expanduser().absolute()
        if not path.is_file():
            raise ProfileError(f"there is no profile {path}", "give the path of a TOML file, or a name without .toml")
        return path
    known = {listed.name: listed.path for listed in list_profiles(home)}
    if reference in known:
        return known[reference]
    close = get_close_matches(reference, known, n=1)
    hint = f'did you mean "{close[0]}"?' if close else f"there are: {', '.join(known)}."
    raise ProfileError(
        f'there is no profile "{reference[:64]}"', f"{hint} Profiles are looked up in {home.profiles_dir}"
    )


def list_profiles(home: Home) -> tuple[Listed, ...]:
    """The user's profiles, then the shipped ones that no profile of the user's hides."""
    own = tuple(_profiles_in(home.profiles_dir, shipped=False))
    names = {listed.name for listed in own}
    return own + tuple(item for item in _profiles_in(shipped_dir(), shipped=True) if item.name not in names)


def shipped_dir() -> Path:
    """The examples: inside the package when installed, beside it in a checkout."""
    package = Path(mirrorctl.__file__).parent
    installed = package / "_profiles"
    return installed if installed.is_dir() else package.parent / "profiles"


def _is_path(reference: str) -> bool:
    return os.sep in reference or reference.endswith(_SUFFIX)


def _profiles_in(directory: Path, *, shipped: bool) -> Iterator[Listed]:
    for path in sorted(directory.glob(f"*{_SUFFIX}")):
        if path.is_file():
            yield Listed(path.stem, path, shipped)
