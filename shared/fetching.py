"""Fetches that say only what has changed since the last one (KIP-227), and leave time between them.

The library names all partitions of a reader in each fetch, and the broker looks into all of them and
answers for each, for one record in one of them. In a session the broker knows what is wanted, and answers for
what has news.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from aiokafka.errors import for_code
from aiokafka.protocol.fetch import FetchRequest

Place = tuple[str, int]
WITH_SESSIONS = 7
"""Version of the request that has them."""
NO_SESSION = 0
TAKEN_SECONDS = 5.0
LITTLE = 100_000
"""Bytes of records: after fewer, more may be waited for."""
Pause = Callable[[], Awaitable[None]]


class _Session(NamedTuple):
    """What a broker has been told: where each partition is to be read on, and the most bytes of it."""

    id: int = NO_SESSION
    epoch: int = 0
    wanted: Mapping[Place, tuple[int, int]] = MappingProxyType({})


class _Fetch(FetchRequest):  # type: ignore[misc]
    """A fetch in a session. A broker without them is sent the `whole`."""

    def __init__(
        self,
        whole: Any,
        session: _Session,
        news: Iterable[tuple[Place, tuple[int, int]]],
        gone: Iterable[Place],
    ) -> None:
        topics, forgotten = defaultdict(list), defaultdict(list)
        for (topic, partition), (offset, most) in news:
            topics[topic].append((partition, offset, most))
        for topic, partition in gone:
            forgotten[topic].append(partition)
        super().__init__(
            whole._max_wait_ms,
            whole._min_bytes,
            whole._max_bytes,
            whole._isolation_level,
            list(topics.items()),
            whole._rack_id,
        )
        self._whole, self._session, self._forgotten = whole, session, list(forgotten.items())

    def build(self, version: Any) -> Any:
        if version.API_VERSION < WITH_SESSIONS:
            return self._whole.build(version)
        made = super().build(version)
        made.session_id, made.session_epoch = self._session.id, self._session.epoch
        made.forgotten_topics_data = self._forgotten
        return made


async def at_once() -> None:
    return None


class Fetches:
    """The client of one reader, with a session for each broker. After any trouble, and after an error of
    any partition, the next fetch begins a new one and names everything. `pause` is awaited before a fetch
    that follows one which brought a little.
    """

    def __init__(self, client: Any, pause: Pause) -> None:
        self._client, self._pause = client, pause
        self._sessions: dict[int, _Session] = {}
        self._little = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def send(self, node: int, request: Any, **more: Any) -> Any:
        """The library has one fetch under way for each broker. Raises KafkaError."""
        if not isinstance(request, FetchRequest):
            return await self._client.send(node, request, **more)
        if self._little:
            await self._pause()
        session = self._sessions.pop(node, _Session())
        wanted = {
            (topic, partition): (offset, most)
            for topic, partitions in request.topics
            for partition, offset, most in partitions
        }
        news = [(place, at) for place, at in wanted.items() if session.wanted.get(place) != at]
        gone = session.wanted.keys() - wanted.keys()
        fetch = _Fetch(request, session, news, gone)
        response = await self._client.send(node, fetch, **more)
        brought = sum(len(part[-1] or b"") for _, found in response.topics for part in found)
        self._little = 0 < brought < LITTLE
        if response.API_VERSION < WITH_SESSIONS:
            return response
        if response.error_code:
            raise for_code(response.error_code)
        errors = any(error for _, found in response.topics for _, error, *_ in found)
        if response.session_id != NO_SESSION and not errors:
            epoch = session.epoch % (2**31 - 1) + 1
            self._sessions[node] = _Session(response.session_id, epoch, wanted)
        return response


def fetching(reader: Any, pause: Pause) -> None:
    """Of a member of a group that has started. It may take late what was fetched for it: what waits more than
    100 ms the library would leave out of its next fetch, and what follows would wait until that fetch ends.
    """
    fetcher = reader._fetcher
    fetcher._prefetch_backoff = TAKEN_SECONDS
    fetcher._client = Fetches(fetcher._client, pause)
