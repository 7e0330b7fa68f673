"""How a line of the log is written: `time level room event key=value …`, to standard error."""

from __future__ import annotations

import logging.config
import re
from collections.abc import Mapping
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_PLAIN = re.compile(r"[A-Za-z0-9_.:/@%+,*()\[\]{}<>-]+")
_NOISY = ("django.request", "django.security", "gunicorn.error", "gunicorn.access", "asyncio")

_STEPS: list[Processor] = [
    structlog.stdlib.filter_by_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
]
"""One list for all calls of `configure`: loggers that were used before keep it, and go on as the others do."""


def configure(settings: Mapping[str, str]) -> None:
    """Set up the logging of a process (Django's `LOGGING_CONFIG`). `settings["level"]`: the least severe one shown."""
    level = settings["level"].upper()
    structlog.configure(
        processors=_STEPS,
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(handlers(level))


def handlers(level: str) -> dict[str, Any]:
    """The configuration of the standard library's logging, for gunicorn too."""
    foreign = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, _without_traceback, line],
        "foreign_pre_chain": foreign,
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": formatter},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": [], "propagate": True, "level": "INFO"},
            **{name: {"level": "ERROR", "handlers": [], "propagate": True} for name in _NOISY},
        },
    }


def _without_traceback(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """An exception becomes its type, text and place on the one line: a traceback may carry what a stranger sent."""
    exception = event.pop("exc_info", None)
    if isinstance(exception, tuple) and exception[1] is not None:
        event["error"] = f"{type(exception[1]).__name__}: {exception[1]}"
        event["at"] = _place(exception[2])
    return event


def _place(traceback: Any) -> str:
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}" if traceback else ""


def line(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """One printable line, whatever the values hold."""
    fixed = [str(event.pop(key, "-")) for key in ("timestamp", "level", "logger")]
    said = _shown(str(event.pop("event", "")))
    return " ".join([*fixed, said, *(f"{key}={_value(value)}" for key, value in event.items())])


def _value(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else '"' + _shown(text).replace('"', '\\"') + '"'


def _shown(text: str) -> str:
    """The text with everything that moves a terminal or breaks a line written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
