package main

import (
	"math/rand"
	"strings"
)

// A planted violation is a true history with one answer changed so that no order can explain it.
// Which answers these are is decided by plain looking at the history, not by the model.

type planted struct {
	Found int `json:"found"`
	Tries int `json:"tries"`
}

// lie is what the call says instead.
type lie struct {
	h    *history
	c    *call
	said call
}

// kinds: each looks for one lie at c, which stands in h.
var kinds = map[string]func(h *history, c *call) (call, bool){
	"a hold over a time that is held":              holdOverHeld,
	"a hold over a time that was sold moments ago": holdOverSold,
	"a live hold is not listed":                    notListed,
	"an expired hold is still ready":               readyTooLong,
	"two approves at once":                         twoApproves,
	"a second approve is the first one":            twiceFirst,
	"a stale token is taken":                       staleToken,
	"a stored outcome is forgotten":                forgotten,
	"a removed hold comes back":                    comesBack,
}

func plant(histories []*history, tries int, seed int64) (map[string]planted, error) {
	rng, out := rand.New(rand.NewSource(seed)), map[string]planted{}
	for kind, find := range kinds {
		var lies []lie
		for _, h := range histories {
			h.level = noLooks // what is certain does not rest on an old table
			for _, c := range h.calls {
				if said, ok := find(h, c); ok && !c.Cut {
					lies = append(lies, lie{h, c, said})
				}
			}
		}
		rng.Shuffle(len(lies), func(i, j int) { lies[i], lies[j] = lies[j], lies[i] })
		if len(lies) > tries {
			lies = lies[:tries]
		}
		p := planted{Tries: len(lies)}
		for _, l := range lies {
			was := *l.c
			*l.c, l.h.look = l.said, l.c
			ok, err := l.h.check()
			*l.c, l.h.look = was, nil
			if err != nil {
				return nil, err
			}
			if !ok {
				p.Found++
			}
		}
		out[kind] = p
	}
	return out, nil
}

// ---- what is certain in a history

func (h *history) find(match func(d *call) bool) *call {
	for _, d := range h.calls {
		if match(d) {
			return d
		}
	}
	return nil
}

func (h *history) grantOf(c *call) *call {
	return h.find(func(d *call) bool { return d.Op == "hold" && d.User == c.User && d.Said == "ok" })
}

// touched: somebody asked, before this time, for what may end or change the user's hold.
func (h *history) touched(user string, before int64, ops ...string) bool {
	return h.find(func(d *call) bool {
		return d.User == user && d.Call <= before && contains(ops, d.Op)
	}) != nil
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// isHeldFor: the grant was told before `from`, its time is not over when c ends, and nobody has asked
// to end it.
func (h *history) isHeldFor(grant, c *call, from int64) bool {
	soonest := grant.Call/ms + grant.TTLMs
	if grant.CallMs+h.rules.graceMs < grant.TTLMs {
		soonest = grant.Call/ms + grant.CallMs + h.rules.graceMs
	}
	return grant.Op == "hold" && grant.Said == "ok" && grant.Return < from && (soonest-1-h.rules.skewMs)*ms > c.Return &&
		!h.touched(grant.User, c.Return, "fail", "outcome", "remove")
}

func meets(c, d *call) bool { return c.Start < d.End && d.Start < c.End }

// granted is c with the answer of a grant.
func (h *history) granted(c *call) call {
	said := *c
	said.Said, said.State, said.Conflicts, said.Expires = "ok", "held", "", c.Return/ms+c.CallMs+h.rules.graceMs
	return said
}

func holdOverHeld(h *history, c *call) (call, bool) {
	return h.granted(c), c.Op == "hold" && c.Said == "slot-held" &&
		h.find(func(d *call) bool { return meets(c, d) && h.isHeldFor(d, c, c.Call) }) != nil
}

func holdOverSold(h *history, c *call) (call, bool) {
	return h.granted(c), c.Op == "hold" && c.Said == "slot-sold" && h.find(func(d *call) bool {
		if d.Op != "remove" || d.By != "reservation" || d.Said != "ok" || d.Return >= c.Call || d.Call+(h.rules.guardMs-1-h.rules.skewMs)*ms <= c.Return {
			return false
		}
		grant := h.grantOf(d)
		return grant != nil && meets(c, grant)
	}) != nil
}

func notListed(h *history, c *call) (call, bool) {
	said := *c
	if c.Op != "list" || c.Held == "" {
		return said, false
	}
	shown := strings.Split(c.Held, ",")
	for i, one := range shown {
		grant := h.find(func(d *call) bool { return strings.HasPrefix(one, d.set()+":") && h.isHeldFor(d, c, h.begin(c)) })
		if grant != nil {
			said.Held = strings.Join(append(append([]string(nil), shown[:i]...), shown[i+1:]...), ",")
			return said, true
		}
	}
	return said, false
}

func readyTooLong(h *history, c *call) (call, bool) {
	said := *c
	said.State = "ready"
	grant := h.grantOf(c)
	return said, c.Op == "find" && c.State == "expired" && grant != nil && (grant.Return/ms+grant.TTLMs+1+h.rules.skewMs)*ms < h.begin(c)
}

// grantedTo is c with the answer of a granted approve.
func (h *history) grantedTo(c *call) call {
	said, highest := *c, 0
	for _, d := range h.calls {
		if d.isApprove() && d.Token > highest {
			highest = d.Token
		}
	}
	said.Said, said.State, said.Token = "ok", "approving", highest+1000
	return said
}

// The first one was granted before, its deadline is not over, and no outcome was told.
func twoApproves(h *history, c *call) (call, bool) {
	return h.grantedTo(c), c.Op == "approve" && c.Said == "payment-in-progress" && h.find(func(d *call) bool {
		return d.isApprove() && d.User == c.User && d.Said == "ok" && d.Return < c.Call && (d.Deadline+h.rules.graceMs-1-h.rules.skewMs)*ms > c.Return
	}) != nil && !h.touched(c.User, c.Return, "outcome")
}

// An approve was granted, and told, before: whatever became of it, none is the first any more.
func twiceFirst(h *history, c *call) (call, bool) {
	return h.grantedTo(c), c.Op == "approve-first" && c.Said == "not-first" && h.find(func(d *call) bool {
		return d.isApprove() && d.User == c.User && d.Said == "ok" && d.Return < c.Call
	}) != nil
}

// Another approve was granted, and told, before this outcome came.
func staleToken(h *history, c *call) (call, bool) {
	said := *c
	said.Said = "ok"
	return said, c.Op == "outcome" && c.Said == "stale-token" && h.find(func(d *call) bool {
		return d.isApprove() && d.User == c.User && d.Said == "ok" && d.Token > c.Token && d.Return < c.Call
	}) != nil
}

func forgotten(h *history, c *call) (call, bool) {
	said := *c
	said.State = "approving"
	return said, c.Op == "find" && c.State == "approved" && h.find(func(d *call) bool {
		return d.Op == "outcome" && d.User == c.User && d.Said == "ok" && d.State == "approved" && d.Return < h.begin(c)
	}) != nil
}

func comesBack(h *history, c *call) (call, bool) {
	said := *c
	said.State = "ready"
	return said, c.Op == "find" && c.State == "removed" && h.find(func(d *call) bool {
		return d.Op == "remove" && d.User == c.User && d.Said == "ok" && d.Return < h.begin(c)
	}) != nil
}
