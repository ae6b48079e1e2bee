package main

// What ends by time. The daemon reads CLOCK_BOOTTIME in whole milliseconds; the histories use the
// same clock in nanoseconds. Where an answer names the end, the window has one millisecond on each
// side; else it is as wide as the call that began it.

const ms = int64(1000000)

type window struct{ from, to int64 }

func (r rules) around(boot int64) window {
	return window{(boot - 1 - r.skewMs) * ms, (boot + 1 + r.skewMs) * ms}
}

func (r rules) later(c *call, afterMs int64) window {
	return window{c.Call + (afterMs-1-r.skewMs)*ms, addClamped(c.Return, (afterMs+1+r.skewMs)*ms)}
}

func addClamped(a, b int64) int64 {
	if a > forever-b {
		return forever
	}
	return a + b
}

// timeOf returns what the call makes end by time.
func (r rules) timeOf(c *call) []*call {
	end := func(op string, w window) *call {
		return &call{History: c.History, Room: c.Room, User: c.User, user: c.user, by: c.seq, Op: op, Call: w.from, Return: w.to}
	}
	switch {
	case c.Op == "hold" && c.Said == "ok":
		begun := c.Expires - c.CallMs - r.graceMs
		return []*call{end("ttl-over", r.around(begun+c.TTLMs)), end("call-over", r.around(c.Expires))}
	case c.Op == "hold" && c.Cut:
		return []*call{end("ttl-over", r.later(c, c.TTLMs)), end("call-over", r.later(c, c.CallMs+r.graceMs))}
	case c.isApprove() && (c.Said == "ok" || c.Cut):
		return []*call{end("deadline-over", r.around(max(c.Deadline, c.Until)+r.graceMs))}
	case c.Op == "remove" && c.By == "reservation" && (c.Said == "ok" || c.Cut):
		return []*call{end("guard-over", r.later(c, r.guardMs))}
	}
	return nil
}
