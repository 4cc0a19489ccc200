package cli

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/tcptrail/tcptrail/internal/leak"
)

// reloadable are the flags of serve that a reload changes; it takes a restart to change the others.
var reloadable = []string{
	"limit", "mute", "repeat", "alert-file", "exec", "webhook", "webhook-key", "alertmanager", "syslog", "journal",
}

// reload reads flags and files again. What is wrong leaves everything as it is. It is called by one goroutine at a time.
func (d *daemon) reload() {
	d.supervisor.reloading()
	defer d.supervisor.ready()
	plan, err := d.reread()
	if err != nil {
		d.log.Error("reload: " + oneLine(err.Error()) + "; everything stays as it is")
		return
	}
	d.mu.Lock()
	before := d.plan
	d.mu.Unlock()
	changed, restart := differences(before.flags, plan.flags)
	if before.limits.Events() != plan.limits.Events() || before.limits.Snapshot() != plan.limits.Snapshot() {
		restart = append(restart, "limit (for other states)")
	}
	if d.recording != nil && slices.Contains(changed, "limit") {
		restart = append(restart, "limit (a recording has one)")
	}
	if len(restart) > 0 {
		err := errors.New("restart to change " + strings.Join(restart, ", "))
		d.log.Error("reload: "+errors.Join(err, closeSinks(plan)).Error()+"; everything stays as it is", "flags", restart)
		return
	}
	if len(changed) == 0 && plan.flags.Lookup("webhook-key").Value.String() == "" { // a file, which may have changed
		d.log.Info("reloaded: nothing has changed")
		_ = closeSinks(plan)
		return
	}
	select {
	case d.hunt.between <- func() { d.change(plan, changed) }:
	case <-d.unwatched:
		_ = closeSinks(plan)
	}
}

func closeSinks(p *servePlan) error {
	var errs []error
	for _, s := range p.sinks {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// reread makes a plan of the command line and the files as they are now.
func (d *daemon) reread() (*servePlan, error) {
	var flags serveFlags
	cmd, root := flags.command(d.env), newRoot(d.env)
	was, rest, err := root.Find(d.env.args)
	if err != nil {
		return nil, err
	}
	root.RemoveCommand(was)
	root.AddCommand(cmd)
	if err := cmd.ParseFlags(rest); err != nil {
		return nil, err
	}
	return flags.read(d.env, cmd)
}

// differences returns the names of flags that differ: those that a reload changes, and the others.
func differences(before, now *pflag.FlagSet) (changed, restart []string) {
	now.VisitAll(func(f *pflag.Flag) {
		was := before.Lookup(f.Name)
		switch {
		case was != nil && was.Value.String() == f.Value.String():
		case slices.Contains(reloadable, f.Name):
			changed = append(changed, f.Name)
		case was != nil:
			restart = append(restart, f.Name)
		}
	})
	return changed, restart
}

// change makes a plan that of this daemon, between two looks: the next one finds anew all that is stuck, of which the sinks,
// all of them new, are then told.
func (d *daemon) change(p *servePlan, changed []string) {
	told, err := d.openAlerts(p)
	if err != nil {
		d.log.Error("reload: " + oneLine(err.Error()))
		return
	}
	d.log.Info("reloaded: "+strings.Join(changed, ", "), "changed", changed)
	d.mu.Lock()
	p.log, p.server, p.top = d.plan.log, d.plan.server, d.plan.top
	before := d.alerts
	d.plan, d.alerts, d.stale = p, told, d.last
	d.mu.Unlock()
	d.hunt.begin(p.leaksPlan)
	go func() { // it may have to wait for receivers
		if err := before.close(); err != nil {
			d.log.Warn(oneLine(err.Error()))
		}
	}()
}

// endOf returns the end of what was stuck by a report and is no more by a later one.
func endOf(before, now *report) *report {
	var ended []leak.Finding
	for i := range before.findings {
		f := &before.findings[i]
		goesOn := slices.ContainsFunc(now.findings, func(other leak.Finding) bool { return other.ID == f.ID })
		if goesOn || f.Status.IsOver() {
			continue
		}
		over := *f
		over.Status, over.News = leak.Resolved, true
		ended = append(ended, over)
	}
	return &report{findings: ended, now: now.now, at: now.at}
}
