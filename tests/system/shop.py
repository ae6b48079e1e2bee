"""The example site on a stack of the tests, for users with real browsers."""

import contextlib
import functools
import sys
import urllib.request

from booking_site import Site
from browser import BUILD
from node_site import node
from ports import free_port
from stack import TOP, Stack

sys.path.append(str(TOP / "dev"))
from example_site import ExampleSite

PEERS = ("gateway", "reservation")
ROOMS = [f"64f1c0ffee0123456789ab0{n}" for n in (1, 2, 3)]


class Shop:
    def __init__(self, stack, url):
        self.stack, self.url = stack, url
        self.site = Site(stack)
        self.sim = self.site.sim

    def grid(self, room):
        with urllib.request.urlopen(f"{self.url}/grid?room={room}") as page:
            return page.read().decode()

    def order(self, page):
        """Of the page that an order is shown on."""
        return page.url.rsplit("/", 1)[1]

    def captures(self, page):
        return self.sim.captures(self.order(page))

    @contextlib.contextmanager
    def hold_ttl(self, seconds):
        """For a while holds live so long."""
        conf, head = self.stack.conf_path.read_text(), "[merchant TC0ONETIME]\n"
        try:
            self._restart_with(conf.replace(head, f"{head}hold_ttl = {seconds}\n"))
            yield
        finally:
            self._restart_with(conf)

    def _restart_with(self, text):
        self.stack.conf_path.write_text(text)
        self.stack.stop("workers")
        self.stack.start("workers")


def environment(stack, url):
    tokens = {name.upper(): stack.tokens[name] for name in (*PEERS, "refund")}
    secrets = {
        f"{p.upper()}_WEBHOOK": (stack.dir / f"{p}-webhook").read_text().strip() for p in PEERS
    }
    return {
        **tokens,
        **secrets,
        "BASE": stack.base_url,
        "SITE_URL": url,
        "MONGODB_URI": stack.mongo_uri,
        "ROOMPAY_DATABASE": stack.database_name,
        "SITE_DATABASE": stack.database_name + "_site",
    }


@contextlib.contextmanager
def opened(**conf):
    node()
    say = functools.partial(print, flush=True)
    example = ExampleSite(BUILD, free_port(), say)
    hooks = {f"deliver {peer}": {"url": example.hook(peer)} for peer in PEERS}
    with Stack(BUILD, conf={**hooks, **conf}) as stack:
        example.start(environment(stack, example.url), stack.dir / "example-site.log")
        try:
            yield Shop(stack, example.url)
        finally:
            example.stop()
            if not stack.store_is_ours:
                client = stack.database().client
                client.drop_database(stack.database_name + "_site")
