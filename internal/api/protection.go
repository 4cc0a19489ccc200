package api

import (
	"fmt"
	"os"

	"github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v2"
)

// protection is what a web configuration has.
type protection struct{ tls, authentication bool }

// readProtection checks a web configuration; "" is none.
func readProtection(path string) (protection, error) {
	if path == "" {
		return protection{}, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return protection{}, fmt.Errorf("read web configuration: %w", err)
	}
	if err := web.Validate(path); err != nil {
		return protection{}, fmt.Errorf("read web configuration %s: %w", path, err)
	}
	var config web.Config
	if err := yaml.UnmarshalStrict(text, &config); err != nil {
		return protection{}, fmt.Errorf("read web configuration %s: %w", path, err)
	}
	verified := config.TLSConfig.ClientAuth == "RequireAndVerifyClientCert"
	return protection{tls: config.TLSConfig.IsEnabled(), authentication: len(config.Users) > 0 || verified}, nil
}

// note returns a warning about an address, or "".
func (p protection) note(at address) string {
	remedy := "give a web configuration with both, or listen on 127.0.0.1"
	switch {
	case at.isLocal() || p.tls && p.authentication:
		return ""
	case p.tls:
		return fmt.Sprintf("%s is beyond loopback and has no authentication: whoever reaches it sees which processes talk to whom; %s", at, remedy)
	case p.authentication:
		return fmt.Sprintf("%s is beyond loopback and has no TLS: passwords travel for all to see; %s", at, remedy)
	}
	return fmt.Sprintf(
		"%s is beyond loopback and has neither TLS nor authentication: whoever reaches it sees which processes talk to whom; %s", at, remedy)
}
