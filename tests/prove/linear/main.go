// Linear reads histories of a real roompay-queued (one call a line, JSON, written by linear.py) and
// asks Porcupine whether some order of the calls explains every answer, room by room. With -plant
// it then changes answers of the true histories and must find every one of these violations.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"sort"
	"time"

	"github.com/anishathalye/porcupine"
)

// call is one line of a history. Call and Return are CLOCK_BOOTTIME in nanoseconds; other times are
// those of the protocol. A call that was cut off ends when its daemon was gone.
type call struct {
	History string `json:"history"`
	Room    string `json:"room"`
	Client  int    `json:"client"`
	Call    int64  `json:"call"`
	Return  int64  `json:"return"`

	Op       string `json:"op"`
	User     string `json:"user"`
	Start    int    `json:"start"`
	End      int    `json:"end"`
	TTLMs    int64  `json:"ttl_ms"`
	CallMs   int64  `json:"call_ms"`
	Deadline int64  `json:"deadline"`
	N        int    `json:"n"`
	Token    int    `json:"token"`
	Outcome  string `json:"outcome"`
	By       string `json:"by"`

	Cut       bool   `json:"cut"`
	Said      string `json:"said"`
	State     string `json:"state"`
	Expires   int64  `json:"expires"`
	Until     int64  `json:"until"` // of an approve: its deadline, as the daemon tells it
	Conflicts string `json:"conflicts"`
	Held      string `json:"held"`

	user int // number of the user in this room
	seq  int // number of the call in this room, from 1
	by   int // of an event of time: the call that began it
	// Of a look at an old table, by this machine's clock:
	over  map[int]bool // users whose time may be over
	ended []*call      // the events of time that certainly have been
}

func (c *call) set() string { return fmt.Sprintf("%d-%d", c.Start, c.End) }

func (c *call) isApprove() bool { return c.Op == "approve" || c.Op == "approve-first" }

// hadNoTime: the answer came after the deadline, so the daemon may have refused for that alone.
func (c *call) hadNoTime() bool { return c.Deadline != 0 && c.Return >= c.Deadline*ms }

func (c *call) describe() string {
	answer := c.Said
	if c.Cut {
		answer = "cut off"
	}
	if c.State != "" {
		answer += " " + c.State
	}
	text := fmt.Sprintf("%s %s", c.Op, c.User)
	switch c.Op {
	case "hold":
		text += " " + c.set()
	case "outcome":
		text += fmt.Sprintf(" %d %s", c.Token, c.Outcome)
	case "remove":
		text += " " + c.By
	case "list":
		answer += " " + c.Held
	}
	return text + " -> " + answer + c.Conflicts
}

// history is what happened in one room.
type history struct {
	name  string
	calls []*call
	users int
	rules rules
	level level
	look  *call // the one look that is not left out
	wrong *call // the look that nothing explains
}

func read(in io.Reader, rules rules) ([]*history, error) {
	byRoom, out := map[string]*history{}, []*history(nil)
	users := map[string]map[string]int{}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		c := &call{}
		if err := json.Unmarshal(lines.Bytes(), c); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		name := c.History + "/" + c.Room
		h := byRoom[name]
		if h == nil {
			h = &history{name: name, rules: rules}
			byRoom[name], users[name] = h, map[string]int{}
			out = append(out, h)
		}
		if _, known := users[name][c.User]; !known {
			users[name][c.User] = len(users[name])
		}
		c.user = users[name][c.User]
		h.users = len(users[name])
		h.calls = append(h.calls, c)
		c.seq = len(h.calls)
	}
	return out, lines.Err()
}

func (h *history) model() porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init:              func() []interface{} { return []interface{}{room{holds: make([]hold, h.users)}} },
		Step:              func(state, input, _ interface{}) []interface{} { return next(state.(room), input.(*call)) },
		Equal:             equal,
		Hash:              hash,
		DescribeOperation: func(input, _ interface{}) string { return input.(*call).describe() },
		DescribeState:     func(state interface{}) string { return listed(state.(room)) },
	}
	return m.ToModel()
}

// operations: the calls, and the events of time that fall into the history. What was cut off and
// only looks says nothing.
func (h *history) operations() []porcupine.Operation {
	var ops []porcupine.Operation
	var last int64
	add := func(client int, c *call) {
		ops = append(ops, porcupine.Operation{ClientId: client, Input: c, Call: h.begin(c), Return: c.Return})
	}
	clients := 0
	for _, c := range h.calls {
		if h.isLeftOut(c) {
			continue
		}
		add(c.Client, c)
		if c.Return != forever && c.Return > last {
			last = c.Return
		}
		if c.Client >= clients {
			clients = c.Client + 1
		}
	}
	for _, c := range h.calls {
		for _, e := range h.rules.timeOf(c) {
			if e.Call <= last {
				add(clients, e)
				clients++
			}
		}
	}
	return ops
}

const limit = 2 * time.Minute

// check is true if an order explains the history.
func (h *history) check() (bool, error) {
	var result porcupine.CheckResult
	if h.rules.staleMs == 0 {
		result = porcupine.CheckOperationsTimeout(h.model(), h.operations(), limit)
	} else {
		result, h.wrong = h.checkShared()
	}
	if result == porcupine.Unknown {
		return false, fmt.Errorf("%s: no answer within %v", h.name, limit)
	}
	return result == porcupine.Ok, nil
}

// explain draws a violation, and names the first answer that the longest order cannot explain and
// the calls about the same user before it.
func (h *history) explain(picture string) error {
	if h.wrong != nil {
		h.lookAt(h.wrong)
	}
	model := h.model()
	_, info := porcupine.CheckOperationsVerbose(model, h.operations(), limit)
	if err := porcupine.VisualizePath(model, info, picture); err != nil {
		return err
	}
	var longest []porcupine.Operation
	for _, ops := range info.PartialLinearizationsOperations()[0] {
		if len(ops) > len(longest) {
			longest = ops
		}
	}
	explained, state := map[*call]bool{}, model.Init()
	for _, op := range longest {
		explained[op.Input.(*call)] = true
		_, state = model.Step(state, op.Input, op.Output)
	}
	var wrong *call
	for _, c := range h.calls {
		if !c.Cut && !h.isLeftOut(c) && !explained[c] && (wrong == nil || c.Return < wrong.Return) {
			wrong = c
		}
	}
	text := fmt.Sprintf("%s: no order explains \"%s\"", h.name, wrong.describe())
	for _, op := range longest {
		if c := op.Input.(*call); c.User == wrong.User {
			text += "\n\tbefore it: " + c.describe()
		}
	}
	for _, r := range state.([]interface{}) {
		text += fmt.Sprintf("\n\tthen: %+v; live: %s", r.(room).holds[wrong.user], listed(r.(room)))
	}
	return fmt.Errorf("%s\n\tall of it: %s", text, picture)
}

type report struct {
	Rooms   int                `json:"rooms"`
	Calls   int                `json:"calls"`
	Cut     int                `json:"cut_off"`
	Answers map[string]int     `json:"answers"`
	Planted map[string]planted `json:"planted,omitempty"`
}

func run(in io.Reader, rules rules, picture string, tries int, seed int64) (*report, error) {
	histories, err := read(in, rules)
	if err != nil {
		return nil, err
	}
	r := &report{Rooms: len(histories), Answers: map[string]int{}}
	for _, h := range histories {
		ok, err := h.check()
		if err == nil && !ok {
			err = h.explain(picture)
		}
		if err != nil {
			return nil, err
		}
		for _, c := range h.calls {
			r.Calls++
			if c.Cut {
				r.Cut++
			} else {
				r.Answers[c.Op+" "+c.Said]++
			}
		}
	}
	if tries > 0 {
		r.Planted, err = plant(histories, tries, seed)
	}
	return r, err
}

func main() {
	rules := alone
	flag.Int64Var(&rules.guardMs, "guard-ms", alone.guardMs, "the daemon's sold guard")
	flag.Int64Var(&rules.graceMs, "grace-ms", alone.graceMs, "what the daemon adds to deadlines")
	flag.Int64Var(&rules.skewMs, "skew-ms", 0, "two machines see an end so long apart")
	flag.Int64Var(&rules.staleMs, "stale-ms", 0, "how old what invites a retry may be")
	tries := flag.Int("plant", 0, "violations of each kind to plant")
	seed := flag.Int64("seed", 1, "for the choice of what is planted")
	picture := flag.String("picture", "violation.html", "where a violation is drawn")
	flag.Parse()
	r, err := run(os.Stdin, rules, *picture, *tries, *seed)
	if err != nil {
		fmt.Fprintln(os.Stderr, "linear:", err)
		os.Exit(1)
	}
	kinds := make([]string, 0, len(r.Planted))
	for kind, p := range r.Planted {
		if p.Found != p.Tries {
			kinds = append(kinds, fmt.Sprintf("%s: %d of %d", kind, p.Found, p.Tries))
		}
	}
	if len(kinds) > 0 {
		sort.Strings(kinds)
		fmt.Fprintln(os.Stderr, "linear: planted violations were not all found:", kinds)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		os.Exit(1)
	}
}
