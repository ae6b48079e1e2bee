package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// Small histories, written by hand: what the model takes, and what it does not. at(1, 2, ...) is a
// call from the first to the second millisecond.

type line map[string]interface{}

func at(from, to int64, op, user string, more line) line {
	c := line{"history": "h", "room": "r", "op": op, "user": user, "call": from * ms, "return": to * ms}
	for k, v := range more {
		c[k] = v
	}
	return c
}

func said(word string) line { return line{"said": word} }

func (l line) and(more line) line {
	for k, v := range more {
		l[k] = v
	}
	return l
}

func asks(from, to int64, user string, start, end int, more line) line {
	return at(from, to, "hold", user, line{"start": start, "end": end, "ttl_ms": 600000, "call_ms": 60000, "expires": from + 62000}.and(more))
}

func isHeld(from, to int64, user string, start, end int) line {
	return asks(from, to, user, start, end, said("ok").and(line{"state": "held"}))
}

func isReady(from, to int64, user string) line {
	return at(from, to, "ready", user, said("ok").and(line{"state": "ready"}))
}

func isApproving(from, to int64, user string, n, token int, deadline int64) line {
	return at(from, to, "approve", user, said("ok").and(line{"state": "approving", "n": n, "token": token, "deadline": deadline}))
}

func isFirst(from, to int64, user string, token int, deadline int64) line {
	return at(from, to, "approve-first", user, said("ok").and(line{"state": "approving", "n": 1, "token": token, "deadline": deadline}))
}

func notFirst(from, to int64, user string) line {
	return at(from, to, "approve-first", user, said("not-first").and(line{"n": 1, "deadline": 500}))
}

func ends(from, to int64, user string, token int, outcome, word, state string) line {
	return at(from, to, "outcome", user, said(word).and(line{"state": state, "token": token, "outcome": outcome, "n": 3}))
}

func isFound(from, to int64, user, state string) line {
	return at(from, to, "find", user, said("ok").and(line{"state": state}))
}

// sold is what leads to a removal at 9 to 10 ms, so that the time is guarded from then on.
func sold() []line {
	return []line{isHeld(1, 2, "a", 0, 60), isReady(3, 4, "a"), isApproving(5, 6, "a", 2, 7, 500), ends(7, 8, "a", 7, "approved", "ok", "approved"),
		at(9, 10, "remove", "a", said("ok").and(line{"by": "reservation", "state": "approved"}))}
}

// tried is a hold whose approve was granted so often, from 5 ms on, and given back each time: with a
// number of the ledger (a token was refused), or with none (nothing was sent).
func tried(times int, outcome string, n int) []line {
	lines := []line{isHeld(1, 2, "a", 0, 60), isReady(3, 4, "a")}
	for i := 0; i < times; i++ {
		from := int64(5 + 4*i)
		lines = append(lines, isApproving(from, from+1, "a", 10*i+2, 7+i, 500),
			ends(from+2, from+3, "a", 7+i, outcome, "ok", "ready").and(line{"n": n * (10*i + 3)}))
	}
	return lines
}

func tooMany() line {
	return at(50, 51, "approve", "a", said("too-many-refused").and(line{"n": 100, "deadline": 500}))
}

func TestModel(t *testing.T) {
	cut := line{"cut": true}
	overlap := said("slot-held").and(line{"conflicts": "30-60"})
	guarded := said("slot-sold").and(line{"conflicts": "0-60"})
	short := line{"ttl_ms": 100, "said": "ok", "state": "held"}

	for name, tt := range map[string]struct {
		legal bool
		lines []line
	}{
		"two at once, one is refused":            {true, []line{asks(1, 9, "b", 30, 90, overlap), isHeld(2, 8, "a", 0, 60)}},
		"refused before the other one asked":     {false, []line{asks(1, 3, "b", 30, 90, overlap), isHeld(4, 8, "a", 0, 60)}},
		"refused with other conflicts":           {false, []line{isHeld(1, 2, "a", 0, 60), asks(3, 4, "b", 30, 60, said("slot-held").and(line{"conflicts": "30-90"}))}},
		"both are granted":                       {false, []line{isHeld(1, 9, "b", 30, 90), isHeld(2, 8, "a", 0, 60)}},
		"end meets start":                        {true, []line{isHeld(1, 9, "b", 60, 90), isHeld(2, 8, "a", 0, 60)}},
		"what was cut off has acted":             {true, []line{asks(1, 2, "a", 0, 60, cut), isFound(3, 4, "a", "held")}},
		"what was cut off has not acted":         {true, []line{asks(1, 2, "a", 0, 60, cut), at(3, 4, "find", "a", said("no-hold"))}},
		"what was cut off acts afterwards":       {false, []line{asks(1, 2, "a", 0, 60, cut), at(3, 4, "find", "a", said("no-hold")), isFound(5, 6, "a", "held")}},
		"an acknowledged hold is lost":           {false, []line{isHeld(1, 2, "a", 0, 60), at(3, 4, "find", "a", said("no-hold"))}},
		"ready until its life is over":           {true, []line{asks(10, 11, "a", 0, 60, short).and(line{"expires": 62010}), isReady(12, 13, "a"), isFound(107, 108, "a", "ready"), isFound(112, 113, "a", "expired")}},
		"ready when its life is over":            {false, []line{asks(10, 11, "a", 0, 60, short).and(line{"expires": 62010}), isReady(12, 13, "a"), isFound(112, 113, "a", "ready")}},
		"expired too early":                      {false, []line{asks(10, 11, "a", 0, 60, short).and(line{"expires": 62010}), isReady(12, 13, "a"), isFound(107, 108, "a", "expired")}},
		"guarded when it was sold":               {true, append(sold(), asks(11, 12, "b", 0, 60, guarded), isHeld(1012, 1013, "c", 0, 60))},
		"granted while it is guarded":            {false, append(sold(), isHeld(900, 901, "b", 0, 60))},
		"guarded for too long":                   {false, append(sold(), asks(1012, 1013, "b", 0, 60, guarded))},
		"two approves at once":                   {false, []line{isHeld(1, 2, "a", 0, 60), isReady(3, 4, "a"), isApproving(5, 6, "a", 2, 7, 500), isApproving(7, 8, "a", 4, 8, 500)}},
		"a first approve, then no other":         {true, []line{isHeld(1, 2, "a", 0, 60), notFirst(3, 4, "a"), isReady(5, 6, "a"), isFirst(7, 8, "a", 7, 500), notFirst(9, 10, "a"), ends(11, 12, "a", 7, "restored", "ok", "ready").and(line{"n": 0}), notFirst(13, 14, "a")}},
		"a first approve where one was":          {false, append(sold()[:3], ends(7, 8, "a", 7, "restored", "ok", "ready").and(line{"n": 0}), isFirst(9, 10, "a", 8, 500))},
		"no first approve of a fresh hold":       {false, []line{isHeld(1, 2, "a", 0, 60), isReady(3, 4, "a"), notFirst(5, 6, "a")}},
		"a first approve of a held one":          {false, []line{isHeld(1, 2, "a", 0, 60), isFirst(3, 4, "a", 7, 500)}},
		"a first approve beside another":         {false, []line{isHeld(1, 2, "a", 0, 60), isReady(3, 4, "a"), isFirst(5, 6, "a", 7, 500), isApproving(7, 8, "a", 2, 8, 500)}},
		"an approve after the other's deadline":  {true, []line{isHeld(1, 2, "a", 0, 60), isReady(3, 4, "a"), isApproving(5, 6, "a", 2, 7, 500), isApproving(2502, 2503, "a", 4, 8, 9000), ends(2504, 2505, "a", 7, "approved", "stale-token", "approving")}},
		"the older approve's outcome is taken":   {false, []line{isHeld(1, 2, "a", 0, 60), isReady(3, 4, "a"), isApproving(5, 6, "a", 2, 7, 500), isApproving(2502, 2503, "a", 4, 8, 9000), ends(2504, 2505, "a", 7, "approved", "ok", "approved")}},
		"a token that is not above the last one": {false, []line{isHeld(1, 2, "a", 0, 60), isReady(3, 4, "a"), isApproving(5, 6, "a", 2, 7, 500), isApproving(2502, 2503, "a", 4, 7, 9000)}},
		"a number that the ledger has":           {false, append(sold()[:3], ends(7, 8, "a", 7, "restored", "ok", "ready"), isApproving(9, 10, "a", 3, 8, 500))},
		"a late capture takes its time again":    {true, append(sold()[:3], ends(7, 8, "a", 7, "declined", "ok", "declined"), ends(9, 10, "a", 7, "approved", "ok", "approved"))},
		"a late capture, the time is gone":       {true, append(sold()[:3], ends(7, 8, "a", 7, "declined", "ok", "declined"), isHeld(9, 10, "b", 30, 90), ends(11, 12, "a", 7, "approved", "ok", "declined"))},
		"a late capture over another hold":       {false, append(sold()[:3], ends(7, 8, "a", 7, "declined", "ok", "declined"), isHeld(9, 10, "b", 30, 90), ends(11, 12, "a", 7, "approved", "ok", "approved"))},
		"five tries in a minute":                 {true, append(tried(5, "refused", 1), tooMany())},
		"a sixth try in a minute":                {false, tried(6, "refused", 1)},
		"too many tries where none was":          {false, append(tried(4, "refused", 1), tooMany())},
		"what was not sent is no try":            {true, tried(6, "restored", 0)},
		"what was not sent counts as a try":      {false, append(tried(5, "restored", 0), tooMany())},
		"given back with a number, it counts":    {false, tried(6, "restored", 1)},
		"a paid hold is paid again":              {false, append(sold()[:4], isApproving(9, 10, "a", 4, 8, 500))},
	} {
		t.Run(name, func(t *testing.T) { expect(t, alone, tt.lines, tt.legal) })
	}
}

func expect(t *testing.T, rules rules, lines []line, want bool) {
	var text strings.Builder
	for _, l := range lines {
		if err := json.NewEncoder(&text).Encode(l); err != nil {
			t.Fatal(err)
		}
	}
	histories, err := read(strings.NewReader(text.String()), rules)
	if err != nil {
		t.Fatal(err)
	}
	legal, err := histories[0].check()
	if err != nil || legal != want {
		t.Errorf("legal: %v, %v; want %v", legal, err, want)
	}
}

// Several daemons on one log: what invites a retry may come from a table of 100 ms ago, the rest
// may not.
func TestModelOfASharedLog(t *testing.T) {
	shared := rules{guardMs: 1000, graceMs: 4000, skewMs: 5, staleMs: 100}
	refused := func(from, to int64) line {
		return asks(from, to, "b", 0, 60, said("slot-held").and(line{"conflicts": "0-60"}))
	}
	givenUp := []line{isHeld(1, 2, "a", 0, 60),
		at(3, 4, "remove", "a", said("ok").and(line{"by": "gateway", "state": "held"}))}

	short := line{"ttl_ms": 100, "said": "ok", "state": "held", "expires": 64010}
	two := []line{asks(10, 11, "a", 0, 60, short), isReady(12, 13, "a"), isHeld(50, 51, "b", 60, 90)}
	showsNothing := func(from int64) line { return at(from, from+1, "list", "", said("ok")) }
	endedBeforeB := []line{two[0], two[1], isHeld(130, 131, "b", 60, 90)}
	approving := []line{isHeld(1, 2, "a", 0, 60), isReady(3, 4, "a"),
		at(20, 21, "approve", "a", line{"cut": true, "return": int64(forever), "n": 2, "deadline": 500}),
		at(30, 31, "list", "", said("ok").and(line{"held": "0-60:approving"}))}
	shows := func(from int64, held string) line {
		return at(from, from+1, "list", "", said("ok").and(line{"held": held}))
	}

	for name, tt := range map[string]struct {
		legal bool
		lines []line
	}{
		"an old table by a newer clock":     {true, append(two, showsNothing(115))},
		"an old table hides a hold":         {false, append(two, showsNothing(160))},
		"an ended hold beside a later one":  {false, append(endedBeforeB, shows(160, "0-60:ready,60-90:held"))},
		"only the later one":                {true, append(endedBeforeB, shows(160, "60-90:held"))},
		"a repeat from a table of before":   {true, append(approving, isReady(40, 41, "a"))},
		"a repeat that is older":            {false, append(approving, isReady(140, 141, "a"))},
		"only the ended one":                {false, append(endedBeforeB, shows(160, "0-60:ready"))},
		"neither, by a table of before":     {true, append(endedBeforeB, shows(160, ""))},
		"refused by a table of before":      {true, append(givenUp, refused(50, 51))},
		"refused by a table that is older":  {false, append(givenUp, refused(200, 201))},
		"granted by a table of before":      {false, []line{isHeld(1, 2, "a", 0, 60), isHeld(50, 51, "b", 30, 90)}},
		"shown as it was":                   {true, append(givenUp, isFound(50, 51, "a", "held"))},
		"a final no from a table of before": {false, []line{isHeld(1, 2, "a", 0, 60), at(50, 51, "find", "a", said("no-hold"))}},
	} {
		t.Run(name, func(t *testing.T) { expect(t, shared, tt.lines, tt.legal) })
	}
}
