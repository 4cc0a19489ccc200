package leak

import "math/bits"

// departures are the sockets that left a condition most recently. While a snapshot is taken events go on: what it still
// shows may have left since, and is not to come back. The table has room for one socket per place and lets the younger
// one have it: an older one is taken for stuck until the next look at worst.
type departures [departureSlots]departure

type departure struct {
	cookie uint64
	at     int64
}

// departureSlots hold what leaves during the half second that a look at 200,000 sockets takes, at 4,000 a second.
const departureSlots = 4096

func (d *departures) of(cookie uint64) *departure {
	return &d[hash(cookie)>>(64-bits.TrailingZeros(departureSlots))]
}

func (d *departures) note(cookie uint64, at int64) { *d.of(cookie) = departure{cookie, at} }

// since says whether a socket left at a time or later.
func (d *departures) since(cookie uint64, at int64) bool {
	found := d.of(cookie)
	return found.cookie == cookie && found.at >= at
}
