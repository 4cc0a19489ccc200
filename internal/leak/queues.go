package leak

import "math"

// Never is the time of what will not be.
const Never int64 = math.MaxInt64

// queues order slots by deadline. Events come in the order of time, and all sockets of a condition have the same limit:
// most belong behind the last one of a list. What does not, because it comes from a snapshot, is late, or was put off,
// goes to a heap. Either way a slot that leaves is taken out at once, so nothing but what is watched takes memory.
type queues struct {
	pool    *pool
	lists   [conditions][Critical]list // by condition, and level so far
	heap    []uint32
	waiting list
}

type list struct {
	head, tail uint32
	n          int
}

func newQueues(p *pool) queues {
	q := queues{pool: p, waiting: list{head: nowhere, tail: nowhere}}
	for c := range q.lists {
		for l := range q.lists[c] {
			q.lists[c][l] = list{head: nowhere, tail: nowhere}
		}
	}
	return q
}

// push puts a slot, which is in no queue, where its condition, level and deadline say.
func (q *queues) push(place uint32) {
	s := q.pool.at(place)
	if s.level >= Critical {
		s.where = inNone
		return
	}
	l := &q.lists[s.condition][s.level]
	if l.tail == nowhere || q.pool.at(l.tail).deadline <= s.deadline {
		q.append(l, place)
		s.where = inList
		return
	}
	s.where = inHeap
	q.heap = append(q.heap, place)
	q.up(len(q.heap) - 1)
}

// drop takes a slot out of whatever queue it is in.
func (q *queues) drop(place uint32) {
	s := q.pool.at(place)
	switch s.where {
	case inList:
		q.unlink(&q.lists[s.condition][s.level], s)
	case inQueue:
		q.unlink(&q.waiting, s)
	case inHeap:
		q.cut(int(s.prev))
	}
	s.where = inNone
}

// collect moves what has passed its deadline to waiting, and returns the first deadline that is left.
func (q *queues) collect(now int64) (next int64) {
	next = Never
	for c := range q.lists {
		for l := range q.lists[c] {
			list := &q.lists[c][l]
			for list.head != nowhere && q.pool.at(list.head).deadline <= now {
				q.wait(list.head)
			}
			if list.head != nowhere {
				next = min(next, q.pool.at(list.head).deadline)
			}
		}
	}
	for len(q.heap) > 0 && q.pool.at(q.heap[0]).deadline <= now {
		q.wait(q.heap[0])
	}
	if len(q.heap) > 0 {
		next = min(next, q.pool.at(q.heap[0]).deadline)
	}
	return next
}

func (q *queues) wait(place uint32) {
	q.drop(place)
	q.append(&q.waiting, place)
	q.pool.at(place).where = inQueue
}

func (q *queues) append(l *list, place uint32) {
	s := q.pool.at(place)
	s.prev, s.next = l.tail, nowhere
	if l.tail == nowhere {
		l.head = place
	} else {
		q.pool.at(l.tail).next = place
	}
	l.tail = place
	l.n++
}

func (q *queues) unlink(l *list, s *slot) {
	if s.prev == nowhere {
		l.head = s.next
	} else {
		q.pool.at(s.prev).next = s.next
	}
	if s.next == nowhere {
		l.tail = s.prev
	} else {
		q.pool.at(s.next).prev = s.prev
	}
	l.n--
}

// The heap: a binary one, in which each slot knows its position.

func (q *queues) before(i, j int) bool {
	return q.pool.at(q.heap[i]).deadline < q.pool.at(q.heap[j]).deadline
}

func (q *queues) place(i int) { q.pool.at(q.heap[i]).prev = uint32(i) }

func (q *queues) up(i int) {
	for i > 0 && q.before(i, (i-1)/2) {
		q.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
	q.place(i)
}

func (q *queues) down(i int) {
	for {
		child := 2*i + 1
		if child+1 < len(q.heap) && q.before(child+1, child) {
			child++
		}
		if child >= len(q.heap) || !q.before(child, i) {
			q.place(i)
			return
		}
		q.swap(i, child)
		i = child
	}
}

func (q *queues) swap(i, j int) {
	q.heap[i], q.heap[j] = q.heap[j], q.heap[i]
	q.place(i)
	q.place(j)
}

func (q *queues) cut(i int) {
	last := len(q.heap) - 1
	q.heap[i] = q.heap[last]
	q.heap = q.heap[:last]
	if i < last {
		q.place(i)
		q.up(i)
		q.down(i)
	}
}
