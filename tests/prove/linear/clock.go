package main

// What ends by time. The daemon reads CLOCK_BOOTTIME in whole milliseconds; the histories use the
// same clock in nanoseconds. Where an answer names the end, the window has one millisecond on each
// side; else it is as wide as the call that began it.

const (
	ms      = int64(1000000)
	graceMs = 2000 // DEADLINE_GRACE_MS: what the daemon adds to the time of a call, and to an approve's deadline
)

type window struct{ from, to int64 }

func around(boot int64) window { return window{(boot - 1) * ms, (boot + 1) * ms} }

func (c *call) later(afterMs int64) window {
	return window{c.Call + (afterMs-1)*ms, addClamped(c.Return, (afterMs+1)*ms)}
}

func addClamped(a, b int64) int64 {
	if a > forever-b {
		return forever
	}
	return a + b
}

// timeOf returns what the call makes end by time.
func timeOf(c *call, guardMs int64) []*call {
	end := func(op string, w window) *call {
		return &call{History: c.History, Room: c.Room, User: c.User, user: c.user, by: c.seq, Op: op, Call: w.from, Return: w.to}
	}
	switch {
	case c.Op == "hold" && c.Said == "ok":
		begun := c.Expires - c.CallMs - graceMs
		return []*call{end("ttl-over", around(begun+c.TTLMs)), end("call-over", around(c.Expires))}
	case c.Op == "hold" && c.Cut:
		return []*call{end("ttl-over", c.later(c.TTLMs)), end("call-over", c.later(c.CallMs+graceMs))}
	case c.Op == "approve" && (c.Said == "ok" || c.Cut):
		return []*call{end("deadline-over", around(c.Deadline+graceMs))}
	case c.Op == "remove" && c.By == "reservation" && (c.Said == "ok" || c.Cut):
		return []*call{end("guard-over", c.later(guardMs))}
	}
	return nil
}
