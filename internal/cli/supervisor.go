package cli

import (
	"log/slog"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
)

// supervisor tells systemd how a daemon does, where it wants to know: sd_notify(3).
type supervisor struct{ log *slog.Logger }

func (s supervisor) tell(state string) {
	if _, err := sd.SdNotify(false, state); err != nil {
		s.log.Warn("tell systemd: "+err.Error(), "state", state)
	}
}

func (s supervisor) ready()    { s.tell(sd.SdNotifyReady) }
func (s supervisor) stopping() { s.tell(sd.SdNotifyStopping) }

// reloading is to be followed by ready.
func (s supervisor) reloading() { s.tell(sd.SdNotifyReloading) }

// watch tells that all is well as long as it is, until over is closed: systemd starts anew whoever does not.
func (s supervisor) watch(isAlive func(within time.Duration) bool, over <-chan struct{}) {
	limit, err := sd.SdWatchdogEnabled(false)
	if err != nil {
		s.log.Warn("watchdog: " + err.Error())
	}
	if limit <= 0 {
		return
	}
	tick := time.NewTicker(limit / 3) // one may be late
	defer tick.Stop()
	for {
		if isAlive(limit) {
			s.tell(sd.SdNotifyWatchdog)
		}
		select {
		case <-over:
			return
		case <-tick.C:
		}
	}
}
