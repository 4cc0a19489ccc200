// Package config reads configuration files: YAML that has settings of a command by the names of its flags, such as
//
//	listen: 127.0.0.1:9797
//	limit: [CLOSE_WAIT=30s:5m, FIN_WAIT2=off]
//	stacks: true
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v3"
)

// MaxBytes bounds a file: it has some dozens of lines, and is read by a daemon that may run with privileges.
const MaxBytes = 1 << 20

// Setting is what a file says of one flag.
type Setting struct {
	Name   string
	Values []string // in the file's order; a flag that is given once has one
	Line   int      // of its name
}

// Error says what is wrong with a file, and in which line.
type Error struct {
	Line int
	What string
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.What) }

// Read reads a file. Errors are those of os, or about its contents: *Error, or yaml's.
func Read(path string) ([]Setting, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, MaxBytes+1))
	if err != nil {
		return nil, err
	}
	settings, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return settings, nil
}

// Parse reads settings in their order. Values are taken as they are written: what they mean flags know.
func Parse(text []byte) ([]Setting, error) {
	if len(text) > MaxBytes {
		return nil, fmt.Errorf("longer than %d bytes", MaxBytes)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one document: leave one, without ---")
	}
	root := document.Content[0]
	if isEmpty(root) {
		return nil, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, &Error{root.Line, "settings are names and values, as listen: 127.0.0.1:9797"}
	}
	return settingsOf(root)
}

func settingsOf(root *yaml.Node) ([]Setting, error) {
	var settings []Setting
	seen := map[string]int{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		name, value := root.Content[i], root.Content[i+1]
		if name.Kind != yaml.ScalarNode {
			return nil, &Error{name.Line, "a setting's name is a word"}
		}
		if line, ok := seen[name.Value]; ok {
			return nil, &Error{name.Line, fmt.Sprintf("%q is set in line %d already: give a list there", name.Value, line)}
		}
		seen[name.Value] = name.Line
		values, err := valuesOf(name.Value, value)
		if err != nil {
			return nil, err
		}
		settings = append(settings, Setting{Name: name.Value, Values: values, Line: name.Line})
	}
	return settings, nil
}

func valuesOf(name string, node *yaml.Node) ([]string, error) {
	switch {
	case isEmpty(node):
		return nil, &Error{node.Line, fmt.Sprintf("%q has no value: give one, or leave it out", name)}
	case node.Kind == yaml.ScalarNode:
		return []string{node.Value}, nil
	case node.Kind != yaml.SequenceNode:
		return nil, &Error{node.Line, fmt.Sprintf("%q takes a value or a list of values", name)}
	}
	values := make([]string, 0, len(node.Content))
	for _, item := range node.Content {
		if item.Kind != yaml.ScalarNode || isEmpty(item) {
			return nil, &Error{item.Line, fmt.Sprintf("%q takes a list of plain values", name)}
		}
		values = append(values, item.Value)
	}
	if len(values) == 0 {
		return nil, &Error{node.Line, fmt.Sprintf("%q has an empty list: give a value, or leave it out", name)}
	}
	return values, nil
}

func isEmpty(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }
