package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// recording is how much there is in a directory of log.
type recording struct {
	disk  int64 // bytes of its files
	plain int64 // bytes of the lines in them
	lines int64
	files int
}

// measureRecording reads all files of a directory of log.
func measureRecording(dir string) (r recording, err error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.jsonl*"))
	if err != nil {
		return r, err
	}
	for _, name := range names {
		if err := r.add(name); err != nil {
			return r, err
		}
	}
	r.files = len(names)
	return r, nil
}

func (r *recording) add(name string) (err error) {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	r.disk += info.Size()
	var lines io.Reader = file
	if strings.HasSuffix(name, ".zst") {
		decoder, err := zstd.NewReader(file, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return err
		}
		defer decoder.Close()
		lines = decoder
	}
	_, err = io.Copy(r, lines)
	return err
}

// Write implements [io.Writer]: it takes a part of the lines.
func (r *recording) Write(p []byte) (int, error) {
	r.plain += int64(len(p))
	r.lines += int64(bytes.Count(p, []byte{'\n'}))
	return len(p), nil
}
