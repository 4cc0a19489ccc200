package alert

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var origin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// step is something that happens to a queue: an alert "ID status", or what became of an attempt.
func play(t *testing.T, q *queue, steps string) (told []string) {
	t.Helper()
	statuses := map[string]Status{"firing": Firing, "escalated": Escalated, "resolved": Resolved, "muted": Muted, "merged": Merged}
	var flying []*item
	for step := range strings.SplitSeq(steps, ",") {
		words := strings.Fields(step)
		failed := DeliveryError{Err: errors.New("down")}
		switch words[0] {
		case "take":
			batch, _ := q.take(origin, false)
			for _, it := range batch {
				flying = append(flying, it)
				text := it.alert.ID + " " + it.alert.Status.String()
				if it.alert.Summary == "updated" {
					text += " updated"
				}
				told = append(told, text)
			}
			if len(batch) == 0 {
				told = append(told, "nothing")
			}
			continue
		case "ok":
			q.settled(flying[0])
		case "fails":
			q.failed(flying[0], &failed, origin)
		case "unheard":
			failed.Unheard = true
			q.failed(flying[0], &failed, origin)
		case "refused":
			q.refused(flying[0])
		case "refresh":
			q.refresh(origin)
			continue
		case "update":
			a := about(words[1], Firing)
			a.Summary = "updated"
			q.update(&a)
			continue
		default:
			a := about(words[0], statuses[words[1]])
			q.add(&a, origin)
			continue
		}
		flying = flying[1:]
	}
	return told
}

func TestQueue(t *testing.T) {
	tests := []struct{ name, steps, want string }{
		{"one", "a firing, take, ok, take", "a firing, nothing"},
		{"in order", "a firing, b firing, take, ok, take", "a firing, b firing"},
		{"newest wins", "a firing, a escalated, take", "a escalated"},
		{"its place stays", "a firing, b firing, a escalated, take, ok, take", "a escalated, b firing"},
		{"escalation stays news", "a escalated, a firing, take", "a escalated"},
		{"escalation after a failure, too", "a escalated, take, a firing, fails, take", "a escalated, a escalated"},
		{"never heard of, over", "a firing, a resolved, take", "nothing"},
		{"never heard of at all", "a resolved, take", "nothing"},
		{"merged and muted are over", "a firing, a merged, take, b firing, b muted, take", "nothing, nothing"},
		{"heard of, over", "a firing, take, ok, a resolved, take, ok, take", "a firing, a resolved, nothing"},
		{"over while in flight", "a firing, take, a resolved, take, ok, take", "a firing, nothing, a resolved"},
		{"worse and over while in flight", "a firing, take, a escalated, a resolved, ok, take", "a firing, a resolved"},
		{"over while in flight, and maybe heard", "a firing, take, a resolved, fails, take", "a firing, a resolved"},
		{"over while in flight, and not heard", "a firing, take, a resolved, unheard, take", "a firing, nothing"},
		{"over while in flight, and refused", "a firing, take, a resolved, refused, take", "a firing, nothing"},
		{"maybe heard once", "a firing, take, fails, take, unheard, a resolved, take", "a firing, a firing, a resolved"},
		{"comes back before it was over", "a firing, take, ok, a resolved, a firing, take", "a firing, a firing"},
		{"comes back in flight", "a firing, take, ok, a resolved, take, a firing, ok, take", "a firing, a resolved, a firing"},
		{"comes and goes in flight", "a firing, take, ok, a resolved, take, a firing, a resolved, ok, take", "a firing, a resolved, a resolved"},
		{"again after failure", "a firing, take, fails, take", "a firing, a firing"},
		{"another one may fare better", "a firing, b firing, take, fails, take", "a firing, b firing"},
		{"newer in flight", "a firing, take, a escalated, fails, take", "a firing, a escalated"},
		{"refused is gone", "a firing, take, refused, take", "a firing, nothing"},
		{"refused is told next time", "a firing, take, refused, a firing, take", "a firing, a firing"},
		{"one of two", "a firing, b firing, take, b escalated, take, ok, take", "a firing, b escalated, nothing"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			q := newQueue(Traits{})
			if got := strings.Join(play(t, q, test.steps), ", "); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			checkQueue(t, q)
		})
	}
}

func TestQueueOfALog(t *testing.T) {
	tests := []struct{ name, steps, want string }{
		{"all of them", "a firing, a escalated, a resolved, take, ok, take, ok, take", "a firing, a escalated, a resolved"},
		{"in order", "a firing, b firing, a resolved, take, ok, take, ok, take", "a firing, b firing, a resolved"},
		{"in order after a failure", "a firing, b firing, take, fails, take, ok, take", "a firing, a firing, b firing"},
		{
			"with a newer one behind", "a firing, b firing, take, a resolved, fails, take, ok, take, ok, take",
			"a firing, a firing, b firing, a resolved",
		},
		{"over without a beginning", "a resolved, take, ok, take", "a resolved, nothing"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			q := newQueue(Traits{Log: true})
			if got := strings.Join(play(t, q, test.steps), ", "); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			checkQueue(t, q)
		})
	}
}

func TestQueueRefreshes(t *testing.T) {
	q := newQueue(Traits{Refresh: time.Minute})
	got := play(t, q, "a firing, take, ok, refresh, take, ok, refresh, a escalated, take, ok, a resolved, refresh, take, ok, refresh, take")
	if want := []string{"a firing", "a firing", "a escalated", "a resolved", "nothing"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	checkQueue(t, q)
	if len(q.findings) != 0 || q.bytes != 0 {
		t.Errorf("%d findings and %d bytes are left", len(q.findings), q.bytes)
	}
	q = newQueue(Traits{Refresh: time.Minute})
	play(t, q, "a firing, take, ok, refresh")
	if q.pending() != 0 {
		t.Error("a finding that the sink knows is pending")
	}
}

func TestQueueUpdates(t *testing.T) {
	for steps, want := range map[string]bool{
		"a firing, update a, take": true, "a escalated, update a, take": false, "a firing, take, ok, update a, refresh, take": true,
		"a firing, take, ok, refresh, update a, take": true, "a firing, take, ok, a resolved, update a, take": false,
		"update a, a firing, take": false, "a firing, take, update a": false,
	} {
		q := newQueue(Traits{Refresh: time.Minute})
		told := play(t, q, steps)
		checkQueue(t, q)
		if got := strings.HasSuffix(told[len(told)-1], "updated"); got != want {
			t.Errorf("%s: %q", steps, told)
		}
	}
}

// checkQueue holds what must be true of a queue at any time.
func checkQueue(t *testing.T, q *queue) {
	t.Helper()
	bytes, waiting := 0, map[*finding]int{}
	for el := q.order.Front(); el != nil; el = el.Next() {
		it := el.Value.(*item)
		bytes += it.alert.size()
		waiting[it.finding]++
		if q.findings[it.alert.ID] != it.finding {
			t.Errorf("%s is not known", it.alert.ID)
		}
		if newest := it.finding.newest == it; !newest && it.spares != &q.superseded ||
			newest && it.alert.Status.IsOver() && it.spares != &q.over ||
			newest && !it.alert.Status.IsOver() && it.spares != nil {
			t.Errorf("%s %v is in the wrong list", it.alert.ID, it.alert.Status)
		}
	}
	for id, f := range q.findings {
		if f.waiting != waiting[f] {
			t.Errorf("%s: %d wait, and it says %d", id, waiting[f], f.waiting)
		}
		if f.waiting == 0 && !f.inFlight && !f.heard {
			t.Errorf("%s is kept for nothing", id)
		}
		if (f.newest == nil) != (f.waiting == 0) {
			t.Errorf("%s: newest %v with %d waiting", id, f.newest, f.waiting)
		}
	}
	if bytes != q.bytes {
		t.Errorf("%d bytes, and it says %d", bytes, q.bytes)
	}
	if n := q.superseded.Len() + q.over.Len(); n > q.order.Len() {
		t.Errorf("%d to spare of %d", n, q.order.Len())
	}
}

func TestQueueBounds(t *testing.T) {
	add := func(q *queue, id string, s Status) {
		a := about(id, s)
		q.add(&a, origin)
		checkQueue(t, q)
	}
	ids := func(q *queue) string { return strings.Join(q.some(100), " ") }

	t.Run("findings", func(t *testing.T) {
		q := newQueue(Traits{})
		q.limits.findings = 3
		for i := range 5 {
			add(q, fmt.Sprint(i), Firing)
		}
		add(q, "1", Escalated)
		if ids(q) != "0 1 2" || q.dropped != 2 || q.findings["1"].newest.alert.Status != Escalated {
			t.Errorf("%s are left, %d dropped", ids(q), q.dropped)
		}
	})
	t.Run("what is over gives way to what is true", func(t *testing.T) {
		q := newQueue(Traits{Log: true})
		q.limits.findings = 3
		add(q, "0", Firing)
		add(q, "1", Resolved)
		add(q, "2", Firing)
		add(q, "3", Firing)
		if ids(q) != "0 2 3" || q.dropped != 1 {
			t.Errorf("%s are left, %d dropped", ids(q), q.dropped)
		}
	})
	t.Run("history", func(t *testing.T) {
		q := newQueue(Traits{Log: true})
		q.limits.history = 2
		for range 10 {
			add(q, "0", Firing)
			add(q, "1", Firing)
		}
		if q.order.Len() != 4 || q.dropped != 16 || ids(q) != "0 1" {
			t.Errorf("%d wait, %d dropped", q.order.Len(), q.dropped)
		}
	})
	t.Run("bytes", func(t *testing.T) {
		q := newQueue(Traits{Log: true})
		a := about("0", Firing)
		q.limits.bytes = 3 * a.size()
		add(q, "0", Firing)
		add(q, "0", Firing)
		add(q, "1", Firing)
		add(q, "2", Firing) // takes the place of the obsolete one
		add(q, "3", Firing) // finds none
		add(q, "0", Firing) // takes that of its predecessor
		if ids(q) != "1 2 0" || q.dropped != 3 || q.bytes > q.limits.bytes {
			t.Errorf("%s are left, %d dropped, %d bytes", ids(q), q.dropped, q.bytes)
		}
	})
	t.Run("age of what is over", func(t *testing.T) {
		q := newQueue(Traits{})
		play(t, q, "a firing, take, ok, a resolved, take, fails")
		if batch, _ := q.take(origin.Add(maxOverAge+1), false); len(batch) != 0 || q.dropped != 1 || len(q.findings) != 0 {
			t.Errorf("%d taken, %d dropped, %d kept", len(batch), q.dropped, len(q.findings))
		}
		checkQueue(t, q)
	})
}

// FuzzQueue holds the invariants, and the promise: what is true is told in the end.
func FuzzQueue(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x10\x20\x30\x40\x05\x15"), false)
	f.Add([]byte("abcdefghijklmnopq"), true)
	f.Fuzz(func(t *testing.T, moves []byte, log bool) {
		moves = moves[:min(len(moves), 100)]
		q := newQueue(Traits{Log: log})
		var flying []*item
		state, heard := map[string]Status{}, map[string]Status{}
		land := func(it *item, how byte) {
			switch how % 3 {
			case 0:
				q.settled(it)
				heard[it.alert.ID] = it.alert.Status
			case 1:
				q.failed(it, &DeliveryError{Err: errBrokenOff, Unheard: true}, origin)
			case 2:
				q.failed(it, &DeliveryError{Err: errBrokenOff}, origin)
				if heard[it.alert.ID] == 0 || heard[it.alert.ID].IsOver() {
					heard[it.alert.ID] = Firing // maybe
				}
			}
			checkQueue(t, q)
		}
		for _, m := range moves {
			switch id, what := string(rune('a'+m&3)), m>>2&7; {
			case what < 5:
				a := about(id, Firing+Status(what))
				state[id] = a.Status
				q.add(&a, origin)
				checkQueue(t, q)
			case what == 5 && !log || len(flying) == 0:
				batch, _ := q.take(origin, false)
				flying = append(flying, batch...)
			default:
				land(flying[0], m>>5)
				flying = flying[1:]
			}
		}
		for range 10_000 {
			if len(flying) == 0 {
				if flying, _ = q.take(origin, false); len(flying) == 0 {
					break
				}
			}
			land(flying[0], 0)
			flying = flying[1:]
		}
		for id, s := range state {
			told := heard[id]
			if !s.IsOver() && (told == 0 || told.IsOver()) || s.IsOver() && told != 0 && !told.IsOver() {
				t.Errorf("%s is %v, and was told to be %q", id, s, told)
			}
		}
	})
}
