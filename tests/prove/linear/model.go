package main

import (
	"fmt"
	"hash/fnv"
	"math"
	"sort"
	"strings"
)

// The rules of one room, written again from doc/protocol.md and independent of lib/booking. Time
// is an operation of its own: a hold's end, the end of an approve's deadline and the end of a sold
// guard happen inside a window that the history gives (see clock.go). So the model needs no clock.

type state uint8

const (
	none state = iota // never granted, or dropped without a trace
	held
	ready
	approving
	unknown
	approved
	removed
	declined
	expired
	fenced
)

var stateNames = [...]string{"none", "held", "ready", "approving", "unknown", "approved", "removed", "declined", "expired", "fenced"}

func (s state) String() string { return stateNames[s] }

func (s state) isLive() bool { return s >= held && s <= approved }

const (
	maxTries = 5  // grants of a hold in a minute; no history is longer
	noToken  = -1 // granted, but nobody heard the answer
)

// One user's hold in this room. A user of a history asks for one hold only.
type hold struct {
	st         state
	before     state // approving: the state that it was granted from
	start, end int   // minutes of the week
	token      int   // of the last grant of an approve; 0: none
	lastN      int   // last ledger number that the queue was told for its order
	approveBy  int   // the call that was granted last
	guardedBy  int   // the removal since which its time is still kept from others; 0: it is not
	tries      int   // how often its approve was granted
	late       bool  // its life as a ready hold is over
	overdue    bool  // its approve had its time
	doubt      bool  // a send was reported as unknown
	paid       bool  // this hold was captured
	orderPaid  bool
}

func (h hold) guards() bool { return h.guardedBy != 0 || h.st.isLive() }

func (h hold) meets(start, end int) bool { return h.start < end && start < h.end }

// room is never changed: each step makes a new one.
type room struct {
	holds    []hold // by the user's number in this history
	maxToken int    // the highest fencing token that anybody was told
}

func (r room) with(user int, h hold) room {
	holds := append([]hold(nil), r.holds...)
	holds[user] = h
	return room{holds, r.maxToken}
}

func equal(a, b interface{}) bool {
	x, y := a.(room), b.(room)
	if x.maxToken != y.maxToken {
		return false
	}
	for i := range x.holds {
		if x.holds[i] != y.holds[i] {
			return false
		}
	}
	return true
}

func hash(a interface{}) uint64 {
	f := fnv.New64a()
	for _, h := range a.(room).holds {
		bits := 0
		for i, b := range []bool{h.late, h.overdue, h.doubt, h.paid, h.orderPaid, h.guardedBy != 0} {
			if b {
				bits |= 1 << i
			}
		}
		f.Write([]byte{byte(h.st), byte(h.before), byte(h.token), byte(h.token >> 8), byte(h.lastN), byte(h.tries), byte(bits)})
	}
	return f.Sum64()
}

// next returns the rooms that may be there after the call. A call that was cut off may have acted
// or not (one that may act for ever stands at the end where it did not); every other call has one
// effect, and its answer must be the rule's.
func next(r room, c *call) []interface{} {
	if c.Cut {
		after, _, ok := act(r, c)
		switch {
		case !ok:
			return []interface{}{r}
		case c.Return == forever:
			return []interface{}{after}
		}
		return []interface{}{r, after}
	}
	if c.over != nil {
		if seen := r.seenLater(c.ended); explains(seen, c) || isOldLook(seen, c) {
			return []interface{}{r}
		}
	} else if after, want, ok := act(r, c); ok && want.is(c) {
		return []interface{}{after}
	}
	if c.Said == "payment-in-progress" && c.hadNoTime() {
		return []interface{}{r} // the daemon read it, or gave up waiting, after its deadline
	}
	return nil
}

// explains: the rule says this in this room.
func explains(r room, c *call) bool {
	_, want, ok := act(r, c)
	return ok && want.is(c)
}

// want is what the rule says that the answer must be.
type want struct {
	words     []string // one of these
	state     state    // of the hold in the answer; none: not compared
	conflicts string
	held      string
	isList    bool
}

func says(words ...string) want { return want{words: words} }

func (w want) is(c *call) bool {
	for _, word := range w.words {
		if word == c.Said {
			return (w.state == none || w.state.String() == c.State) && w.conflicts == c.Conflicts && (!w.isList || w.held == sorted(c.Held))
		}
	}
	return false
}

func sorted(list string) string {
	parts := strings.Split(list, ",")
	sort.Strings(parts)
	return strings.Join(parts, ",")
}

// act is the rule: the room after the call and the answer. It is false where this call cannot
// happen at all in this room (a token that the daemon may not give).
func act(r room, c *call) (room, want, bool) {
	switch c.Op {
	case "list":
		return r, want{words: []string{"ok"}, isList: true, held: listed(r)}, true
	case "hold":
		return actHold(r, c)
	}
	h := r.holds[c.user]
	switch c.Op {
	case "find":
		return actFind(r, h)
	case "ready":
		return actReady(r, c, h)
	case "fail":
		if h.st == held {
			return r.with(c.user, hold{}), says("ok"), true
		}
		return r, says("ok"), true
	case "approve":
		return actApprove(r, c, h)
	case "approve-first":
		return actApproveFirst(r, c, h)
	case "outcome":
		return actOutcome(r, c, h)
	case "remove":
		return actRemove(r, c, h)
	}
	return r.with(c.user, byTime(c, h)), want{words: []string{""}}, true
}

func listed(r room) string {
	var shown []string
	for _, h := range r.holds {
		if h.st.isLive() {
			shown = append(shown, fmt.Sprintf("%d-%d:%s", h.start, h.end, h.st))
		}
	}
	sort.Strings(shown)
	return strings.Join(shown, ",")
}

func actFind(r room, h hold) (room, want, bool) {
	if h.st == none {
		return r, says("no-hold"), true
	}
	return r, want{words: []string{"ok"}, state: h.st}, true
}

// ---- who gets a time

// conflicts lists the parts of start-end that live holds have, else those that are guarded.
func conflicts(r room, start, end int) (word, parts string) {
	taken := map[string][]hold{}
	for _, h := range r.holds {
		if h.guards() && h.meets(start, end) {
			word := "slot-held"
			if h.guardedBy != 0 {
				word = "slot-sold"
			}
			taken[word] = append(taken[word], h)
		}
	}
	for _, word := range []string{"slot-held", "slot-sold"} {
		if holds := taken[word]; len(holds) > 0 {
			return word, overlap(holds, start, end)
		}
	}
	return "", ""
}

const day = 1440

func overlap(holds []hold, start, end int) string {
	var parts []string
	from := -1
	for m := start; m <= end; m++ {
		taken := false
		for _, h := range holds {
			taken = taken || (m < end && h.start <= m && m < h.end)
		}
		if from >= 0 && (!taken || m%day == 0) {
			parts = append(parts, fmt.Sprintf("%d-%d", from, m))
			from = -1
		}
		if taken && from < 0 {
			from = m
		}
	}
	return strings.Join(parts, ",")
}

// take fences what expired in this time: it cannot come back.
func (r room) take(start, end int) room {
	for i, h := range r.holds {
		if h.st == expired && h.meets(start, end) {
			h.st = fenced
			r = r.with(i, h)
		}
	}
	return r
}

func actHold(r room, c *call) (room, want, bool) {
	if r.holds[c.user].st != none {
		return r, want{}, false
	}
	if word, parts := conflicts(r, c.Start, c.End); word != "" {
		return r, want{words: []string{word}, conflicts: parts}, true
	}
	h := hold{st: held, start: c.Start, end: c.End}
	return r.take(c.Start, c.End).with(c.user, h), want{words: []string{"ok"}, state: held}, true
}

func actReady(r room, c *call, h hold) (room, want, bool) {
	switch {
	case h.st == held && h.late:
		return r.with(c.user, hold{}), says("fenced"), true
	case h.st == held:
		h.st = ready
		return r.with(c.user, h), want{words: []string{"ok"}, state: ready}, true
	case h.st.isLive(): // a repeat
		return r, want{words: []string{"ok"}, state: h.st}, true
	}
	return r, says("fenced"), true
}

// ---- who may charge

// notApprovable: the words for a hold that cannot be charged in its state; nil: it can.
func notApprovable(h hold) []string {
	switch {
	case h.st == none:
		return []string{"no-hold"}
	case h.orderPaid:
		return []string{"order-already-paid"}
	case h.st == fenced || h.st == declined || h.st == removed:
		return []string{"fenced"}
	case h.st == held:
		return []string{"payment-in-progress"}
	case h.st == approving && !h.overdue:
		return []string{"payment-in-progress", "replay"}
	}
	return nil
}

// An approve that waited for another one is told `replay` when that one has ended.
func actApprove(r room, c *call, h hold) (room, want, bool) {
	words := notApprovable(h)
	switch {
	case c.Said == "replay":
		return r, says("replay"), h.token != 0
	case words != nil:
		return r, says(words...), true
	case h.tries >= maxTries:
		return r, says("too-many-refused"), true
	case c.N <= h.lastN:
		return r, says("ledger-behind"), true
	}
	return grant(r, c, h)
}

// Only a ready hold that was never granted, of an order without a number. It waits for nobody.
func actApproveFirst(r room, c *call, h hold) (room, want, bool) {
	switch {
	case h.st == none:
		return r, says("no-hold"), true
	case h.st != ready || h.token != 0 || h.lastN != 0:
		return r, says("not-first"), true
	}
	return grant(r, c, h)
}

func grant(r room, c *call, h hold) (room, want, bool) {
	h.before, h.st, h.overdue, h.approveBy = h.st, approving, false, c.seq
	if c.N-1 > h.lastN {
		h.lastN = c.N - 1
	}
	h.tries++
	h.token = noToken
	if c.Said == "ok" {
		if c.Token <= r.maxToken {
			return r, want{}, false
		}
		h.token = c.Token
		r.maxToken = c.Token
	}
	return r.with(c.user, h), want{words: []string{"ok"}, state: approving}, true
}

func actOutcome(r room, c *call, h hold) (room, want, bool) {
	if h.st == none {
		return r, says("no-hold"), true
	}
	if h.token != c.Token {
		return r, says("stale-token"), true
	}
	switch c.Outcome {
	case "approved":
		r, h = capture(r, c, h)
	case "declined":
		if h.st == approving || h.st == unknown {
			h.st = declined
		}
	case "unknown":
		if h.st == approving {
			h.st, h.doubt = unknown, true
		} else if h.st == unknown {
			h.doubt = true
		}
	case "restored", "refused":
		h = restore(c, h)
	}
	if c.N > h.lastN {
		h.lastN = c.N
	}
	return r.with(c.user, h), want{words: []string{"ok"}, state: h.st}, true
}

// A capture is taken whatever was said before. A hold that had lost its time takes it again where
// nobody else has it; else the order is paid and the hold stays what it was.
func capture(r room, c *call, h hold) (room, hold) {
	if h.paid {
		return r, h
	}
	h.orderPaid = true
	if h.st == declined || h.st == fenced || h.st == removed {
		for i, other := range r.holds {
			if i != c.user && other.guards() && other.meets(h.start, h.end) {
				return r, h
			}
		}
		r = r.take(h.start, h.end)
	}
	h.st, h.paid = approved, true
	return r, h
}

// Nothing was executed, if that is certain: a grant over one whose end nobody knows needs a number
// of the ledger and no doubt.
func restore(c *call, h hold) hold {
	certain := h.before == ready || h.before == expired || (c.N > 0 && !h.doubt)
	switch {
	case h.st != approving && h.st != unknown:
		return h
	case h.st == unknown && (c.N == 0 || h.doubt):
		return h
	}
	if c.Outcome == "restored" && c.N == 0 && h.st == approving && h.before != unknown && h.before != approving {
		h.tries-- // nothing was sent, and nothing written
	}
	switch {
	case !certain:
		h.st = unknown
	case h.late:
		h.st = expired
	default:
		h.st = ready
	}
	return h
}

// ---- who takes a hold away

func actRemove(r room, c *call, h hold) (room, want, bool) {
	if h.st == none {
		return r, says("no-hold"), true
	}
	if c.By == "reservation" {
		switch {
		case h.st == approved:
			h.st, h.guardedBy = removed, c.seq
			return r.with(c.user, h), want{words: []string{"ok"}, state: approved}, true
		case h.st == removed && h.paid:
			return r, says("replay"), true
		}
		return r, says("no-hold"), true
	}
	was := h.st
	switch h.st {
	case held, ready:
		h.st = removed
		return r.with(c.user, h), want{words: []string{"ok"}, state: was}, true
	case expired:
		h.st = fenced
		return r.with(c.user, h), want{words: []string{"ok"}, state: was}, true
	case approving, unknown:
		return r, says("payment-in-progress"), true
	}
	if h.paid {
		return r, says("order-already-paid"), true
	}
	return r, says("replay"), true
}

// ---- time

func byTime(c *call, h hold) hold {
	switch c.Op {
	case "ttl-over":
		h.late = h.st != none
		if h.st == ready {
			h.st = expired
		}
	case "call-over":
		if h.st == held {
			h = hold{}
		}
	case "deadline-over":
		if h.st == approving && h.approveBy == c.by {
			h.overdue = true
		}
	case "guard-over":
		if h.guardedBy == c.by {
			h.guardedBy = 0
		}
	}
	return h
}

const forever = math.MaxInt64
