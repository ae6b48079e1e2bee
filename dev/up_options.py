"""What dev/up takes. Run by itself it only looks whether the options are right."""

import argparse


def read_options(arguments):
    p = argparse.ArgumentParser(
        prog="dev/up",
        description="Runs all of roompay on loopback, against a simulated KakaoPay, until Ctrl-C.",
    )
    p.add_argument("--once", action="store_true", help="take one payment and stop")
    p.add_argument("--port", type=int, metavar="N", help="port of the web server; default: any")
    p.add_argument(
        "--env-file",
        metavar="FILE",
        help="write addresses, tokens and webhook secrets "
        "there, as a shell reads them. Tokens and secrets that it has are used again",
    )
    p.add_argument(
        "--reservation-url",
        metavar="URL",
        help="where your reservation service takes "
        "messages; default: a stand-in that books everything",
    )
    p.add_argument(
        "--gateway-url",
        metavar="URL",
        help="where your gateway takes messages; default: a stand-in",
    )
    p.add_argument(
        "--site",
        metavar="URL",
        help="where KakaoPay sends users back to in the "
        "commands that are printed; default: a page that shows what came back",
    )
    p.add_argument(
        "--site-port",
        type=int,
        metavar="N",
        help="port of the example site (examples/booking-site); default: any",
    )
    p.add_argument("--no-site", action="store_true", help="without the example site")
    options = p.parse_args(arguments)
    for name, port in (("--port", options.port), ("--site-port", options.site_port)):
        if port is not None and not 1 <= port <= 65535:
            p.error(f"{name} is 1 to 65535")
    return options


if __name__ == "__main__":
    import sys

    read_options(sys.argv[1:])
