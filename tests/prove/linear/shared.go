package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// What is different where several daemons share a log (doc/scale-out.md): an answer that changes
// nothing and invites a retry may come from a table that is a moment old.
//
// Such looks are taken out first. What is left (all that changes something, and every answer that
// must be current) must have an order. Then each look must be explained by a state of an order, not
// longer ago than a table may be old.

// rules are the settings of the daemons, and what may lie between two of them.
type rules struct {
	guardMs int64 // the sold guard
	graceMs int64 // what a daemon adds to the time of a call, and to an approve's deadline
	skewMs  int64 // two machines may see an end so long apart
	staleMs int64 // so old may a table be; 0: there is one daemon
}

var alone = rules{guardMs: 1000, graceMs: 2000}

type level int

const (
	everything level = iota // as if no table were ever old
	noLooks                 // without what may come from an old table
	repeats                 // and a repeated "ready" or outcome may come from one, too
	oldRepeats              // and that one may be as old as any
)

const (
	firstLimit = 5 * time.Second
	repeatMs   = 300 // where it suffices; an order is found sooner then
)

// isLook: the answer changed nothing, and whoever got it comes again or only looked.
func (h *history) isLook(c *call) bool {
	switch c.Op {
	case "list":
		return true
	case "find":
		return c.Said != "no-hold"
	case "hold":
		return c.Said != "ok"
	case "approve", "approve-first":
		return !contains([]string{"ok", "no-hold", "fenced"}, c.Said)
	case "remove":
		return !contains([]string{"ok", "no-hold", "replay"}, c.Said)
	}
	return false
}

// mayBeRepeat: it may have changed nothing, because somebody had asked for the same before.
func (h *history) mayBeRepeat(c *call) bool {
	return (c.Op == "ready" || c.Op == "outcome") && c.Said == "ok" && h.find(func(d *call) bool {
		return d != c && d.Op == c.Op && d.User == c.User && d.Call < c.Return
	}) != nil
}

// isLeftOut: a look that was cut off says nothing; others are looked at one by one.
func (h *history) isLeftOut(c *call) bool {
	if c.Cut {
		return c.Op == "list" || c.Op == "find"
	}
	return h.level > everything && c != h.look && h.isLook(c)
}

// begin is the earliest moment whose state may explain the answer.
func (h *history) begin(c *call) int64 {
	switch {
	case c.Cut || h.rules.staleMs == 0 || h.level == everything:
		return c.Call
	case h.isLook(c):
		return c.Call - h.rules.staleMs*ms
	case h.level == repeats && h.mayBeRepeat(c):
		return c.Call - min(repeatMs, h.rules.staleMs)*ms
	case h.level == oldRepeats && h.mayBeRepeat(c):
		return c.Call - h.rules.staleMs*ms
	}
	return c.Call
}

// checkShared is check for a shared log. An order of everything is found soonest, where there is
// one. A lie is looked for without other looks.
func (h *history) checkShared() (porcupine.CheckResult, *call) {
	result, _ := porcupine.Illegal, 0
	if h.look == nil {
		h.level = everything
		result = porcupine.CheckOperationsTimeout(h.model(), h.operations(), firstLimit)
	}
	if result == porcupine.Ok {
		return result, nil
	}
	for _, h.level = range []level{noLooks, repeats, oldRepeats} {
		var info porcupine.LinearizationInfo

		result, info = porcupine.CheckOperationsVerbose(h.model(), h.operations(), limit)
		if result == porcupine.Ok && h.look == nil {
			return h.checkLooks(info)
		}
		if result == porcupine.Ok || h.look != nil {
			break
		}
	}
	return result, nil
}

// checkLooks: each must be explained by the order that was found, or by another one.
func (h *history) checkLooks(info porcupine.LinearizationInfo) (porcupine.CheckResult, *call) {
	states := statesOf(h.model(), info)
	for _, c := range h.calls {
		if c.Cut || !h.isLook(c) {
			continue
		}
		if result := h.checkLook(c, states); result != porcupine.Ok {
			return result, c
		}
	}
	return porcupine.Ok, nil
}

// lookAt: this one may come from an old table, by the clock of its machine.
func (h *history) lookAt(c *call) {
	h.look, c.ended, c.over = c, h.endedBefore(c.Call), h.overBefore(c.Return)
}

func (h *history) checkLook(c *call, states []stateAt) porcupine.CheckResult {
	h.lookAt(c)
	defer func() { h.look, c.ended, c.over = nil, nil, nil }()
	if h.isExplained(c, states) {
		return porcupine.Ok
	}
	was, result := h.level, porcupine.Illegal
	defer func() { h.level = was }()
	for ; h.level <= oldRepeats && result != porcupine.Ok; h.level++ {
		result = porcupine.CheckOperationsTimeout(h.model(), h.operations(), limit)
	}
	return result
}

// endedBefore: what certainly has ended by time then.
func (h *history) endedBefore(from int64) []*call {
	var ended []*call
	for _, c := range h.calls {
		for _, e := range h.rules.timeOf(c) {
			if e.Return < from {
				ended = append(ended, e)
			}
		}
	}
	return ended
}

// seenLater is an old table by the clock of a later moment.
func (r room) seenLater(ended []*call) room {
	for _, e := range ended {
		was := r.holds[e.user]
		if is := byTime(e, was); was.guards() && is != was {
			r = r.with(e.user, is)
		}
	}
	return r
}

// overBefore: whose hold may have ended by time until then.
func (h *history) overBefore(until int64) map[int]bool {
	over := map[int]bool{}
	for _, c := range h.calls {
		for _, e := range h.rules.timeOf(c) {
			if e.Call <= until {
				over[c.user] = true
			}
		}
	}
	return over
}

// isOldLook: an old table, seen by the clock of now. A hold whose time is over is not shown and is
// in nobody's way, though the table has no record of its end.
func isOldLook(r room, c *call) bool {
	if c.over == nil {
		return false
	}
	shown := strings.Split(c.Held, ",")
	hits := 0
	for user, h := range r.holds {
		if !h.guards() {
			continue
		}
		item := fmt.Sprintf("%d-%d:%s", h.start, h.end, h.st)
		switch {
		case c.Op == "hold" && h.meets(c.Start, c.End):
			hits++
		case c.Op == "list" && h.st.isLive() && contains(shown, item):
			hits++
		case c.Op == "list" && h.st.isLive() && !c.over[user]:
			return false
		}
	}
	if c.Op == "list" {
		return hits == len(shown) || (c.Held == "" && hits == 0)
	}
	return c.Op == "hold" && strings.HasPrefix(c.Said, "slot-") && hits > 0
}

// a state that was there at some moment between from and to
type stateAt struct {
	state    interface{}
	from, to int64
}

func statesOf(model porcupine.Model, info porcupine.LinearizationInfo) []stateAt {
	var order []porcupine.Operation
	for _, ops := range info.PartialLinearizationsOperations()[0] {
		if len(ops) > len(order) {
			order = ops
		}
	}
	out := []stateAt{{model.Init(), 0, forever}}
	for _, op := range order {
		last := out[len(out)-1]
		_, state := model.Step(last.state, op.Input, op.Output)
		out = append(out, stateAt{state, max(last.from, op.Call), forever})
	}
	for i, to := len(order)-1, int64(forever); i >= 0; i-- {
		to = min(to, order[i].Return)
		out[i].to = to
	}
	return out
}

func (h *history) isExplained(c *call, states []stateAt) bool {
	for _, s := range states {
		if s.from <= c.Return && s.to >= h.begin(c) {
			if ok, _ := h.model().Step(s.state, c, nil); ok {
				return true
			}
		}
	}
	return false
}

func max(a, b int64) int64 {
	if a > b {
		return a
	}
	return b
}

func min(a, b int64) int64 {
	if a < b {
		return a
	}
	return b
}
