"""Removes the images of functions that were not used for longest (see ``surplus.py``)."""

import logging
import threading

from oslo_config import cfg

from pratai_common import limits
from pratai_common.clock import Clock, now_ms
from pratai_common.errors import EngineError
from pratai_drivers.engines.base import Engine
from pratai_drivers.image_records import ImageRecords
from pratai_drivers.surplus import Budget, surplus

LOG = logging.getLogger(__name__)
_DAY_SECONDS = 86_400


class ImageCollection:
    """Removes images that are to go, in a thread of its own from ``start`` to ``stop``."""

    @classmethod
    def from_conf(
        cls, conf: cfg.ConfigOpts, engine: Engine, records: ImageRecords
    ) -> "ImageCollection":
        """Return what the configuration says."""
        options = conf.driver
        size = options.image_disk_mb * limits.MIB or None
        budget = Budget(size, options.image_days * _DAY_SECONDS)
        return cls(engine, records, budget, options.sweep_seconds, now_ms)

    def __init__(
        self,
        engine: Engine,
        records: ImageRecords,
        budget: Budget,
        seconds: float,
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._records = records
        self._budget = budget
        self._seconds = seconds
        self._clock = clock
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="images", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after what is under way, and keep what is known."""
        self._ended.set()
        self._thread.join()
        self._write()

    def once(self) -> None:
        """Remove what is to go now; raises EngineError."""
        kept = set(self._records.in_use())
        now = self._clock() // 1000
        while True:
            images = self._engine.images()
            self._records.forget_all_but(images.keys(), now - self._budget.fresh)
            going = surplus(images, self._records.times(), kept, now, self._budget)
            refused = {image for image in going if not self._removed(image)}
            if not refused:
                return
            # Containers are made of them. Others go in their place.
            kept |= refused

    def _removed(self, image: str) -> bool:
        if image in self._records.in_use() or not self._engine.remove_image(image):
            return False
        self._records.gone(image)
        LOG.info("removed the image %s, which was not used for long", image)
        return True

    def _serve(self) -> None:
        while not self._ended.wait(self._seconds):
            try:
                self.once()
            except EngineError as error:
                LOG.warning("images that are not used could not be removed: %s", error)
            except Exception:
                LOG.exception("a fault of the node")
            self._write()

    def _write(self) -> None:
        try:
            self._records.write()
        except OSError as error:
            LOG.warning("when images were used cannot be kept: %s", error)
