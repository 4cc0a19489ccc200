package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/tcptrail/tcptrail/internal/alert"
)

// sinkFlags are the flags that say whom to tell, as given.
type sinkFlags struct {
	files         []string
	commands      []string
	webhooks      []string
	secretFile    string
	alertmanagers []string
	syslogs       []string
	journal       bool
}

func (f *sinkFlags) define(s *pflag.FlagSet) {
	s.Var(each{&f.files, "file"}, "alert-file", "append findings to a file as JSON lines")
	s.Var(each{&f.commands, "command"}, "exec", "run a command for each change, the finding as JSON\non its stdin; no shell, 10s at most")
	s.Var(each{&f.webhooks, "url"}, "webhook", "POST the JSON there; signed if there is a secret")
	s.Var(word{&f.secretFile, "file"}, "webhook-key", "secret to sign with; or set\n"+webhookSecretEnv)
	s.Var(each{&f.alertmanagers, "url"}, "alertmanager", "tell Prometheus' Alertmanager (API v2)")
	s.Var(each{&f.syslogs, "url"}, "syslog", "the local syslog, or with =udp://HOST or =tcp://HOST\nanother, by RFC 5424")
	s.Lookup("syslog").NoOptDefVal = localSyslog
	s.BoolVar(&f.journal, "journal", false, "the systemd journal, with fields")
}

// webhookSecretEnv may hold the secret that signs what a webhook gets: unlike a flag it does not show in ps.
const webhookSecretEnv = "TCPTRAIL_WEBHOOK_SECRET"

// open makes the sinks. Files and sockets are opened at once, so that mistakes show.
func (f *sinkFlags) open(env *Env) (sinks []alert.Sink, err error) {
	var errs []error
	add := func(flag string, s alert.Sink, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", flag, err))
			return
		}
		sinks = append(sinks, s)
	}
	for _, path := range f.files {
		s, err := alert.NewFile(path)
		add("alert-file", s, err)
	}
	for _, line := range f.commands {
		s, err := alert.NewExec(line, alert.ExecOptions{Env: withoutSecret(os.Environ())})
		add("exec", s, err)
	}
	for _, url := range f.webhooks {
		s, err := f.openWebhook(env, url)
		add("webhook", s, err)
	}
	for _, url := range f.alertmanagers {
		s, err := alert.NewAlertmanager(url, alert.AlertmanagerOptions{})
		add("alertmanager", s, err)
	}
	for _, url := range f.syslogs {
		s, err := alert.NewSyslog(strings.TrimPrefix(url, localSyslog))
		add("syslog", s, err)
	}
	if f.journal {
		s, err := alert.NewJournal("")
		add("journal", s, err)
	}
	if len(errs) > 0 {
		for _, s := range sinks {
			_ = s.Close()
		}
		return nil, errors.Join(errs...)
	}
	return sinks, nil
}

func (f *sinkFlags) openWebhook(env *Env, url string) (alert.Sink, error) {
	secret, err := f.secret(env)
	if err != nil {
		return nil, err
	}
	return alert.NewWebhook(url, secret, alert.HTTPOptions{})
}

// localSyslog is what --syslog without a value means.
const localSyslog = "-"

// secret returns what signs a webhook's requests; nil: nothing does.
func (f *sinkFlags) secret(env *Env) ([]byte, error) {
	if f.secretFile != "" {
		text, err := os.ReadFile(f.secretFile)
		if err != nil {
			return nil, fmt.Errorf("read secret: %w", err)
		}
		return bytes.TrimSpace(text), nil
	}
	if text := env.Getenv(webhookSecretEnv); text != "" {
		return []byte(text), nil
	}
	return nil, nil
}

func withoutSecret(environ []string) []string {
	var kept []string
	for _, entry := range environ {
		if !strings.HasPrefix(entry, webhookSecretEnv+"=") {
			kept = append(kept, entry)
		}
	}
	return kept
}
