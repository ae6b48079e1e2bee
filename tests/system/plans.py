"""What MongoDB says of how our queries are carried out. Other servers do not tell."""

from bson.codec_options import CodecOptions, DatetimeConversion

BAD = {"$or": [{"planSummary": {"$regex": "COLLSCAN"}}, {"hasSortStage": True}]}


def unindexed(db):
    """Queries of our programs that read a whole collection or sorted in memory: none. Of a store
    of ours: store_server.py has told it to take note of those."""
    return noted(db, BAD)


def take_note_of_all(db):
    """From now on of every operation of our programs, in a collection that is large enough."""
    db.command("profile", 0)
    db.drop_collection("system.profile")
    db.create_collection("system.profile", capped=True, size=64 << 20)
    db.command("profile", 1, filter={"appName": "roompay"})


def noted(db, which=None):
    # a range without an end is asked for as one up to a year that Python has no date for
    codec = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
    profile = db.get_collection("system.profile", codec_options=codec)
    which = which or {"planSummary": {"$exists": True}}
    found = profile.find({"appName": "roompay", **which})
    return [told(p) for p in found if not is_stream(p)]


def is_stream(p):
    """A change stream follows the server's oplog, from its end. The plan is called a COLLSCAN."""
    command = p.get("originatingCommand") or p["command"]
    return any("$changeStream" in stage for stage in command.get("pipeline", []))


def told(p):
    command = p.get("originatingCommand") or p["command"]
    asked = command.get("filter", command.get("q", {}))
    return {
        "op": p["op"],
        "collection": p["ns"].split(".", 1)[1],
        "plan": p["planSummary"],
        "asked": asked,
        "sort": command.get("sort", {}),
        "sorts": p.get("hasSortStage", False),
        "examined": p.get("docsExamined", 0),
        "returned": p.get("nreturned", 0),
    }
