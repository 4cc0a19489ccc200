package output

import (
	"strings"
	"testing"
)

func TestFormatRoundTrip(t *testing.T) {
	for f := Table; f <= CSV; f++ {
		if got, err := ParseFormat(f.String()); err != nil || got != f {
			t.Errorf("ParseFormat(%q) = %v, %v", f.String(), got, err)
		}
	}
	if got := Format(200).String(); got != "unknown" {
		t.Errorf("Format(200) = %q", got)
	}
}

func TestTimeStyleRoundTrip(t *testing.T) {
	for s := Auto; s <= None; s++ {
		if got, err := ParseTimeStyle(s.String()); err != nil || got != s {
			t.Errorf("ParseTimeStyle(%q) = %v, %v", s.String(), got, err)
		}
	}
	if got := TimeStyle(200).String(); got != "unknown" {
		t.Errorf("TimeStyle(200) = %q", got)
	}
}

func TestParseNamesTheValidValues(t *testing.T) {
	_, formatErr := ParseFormat("xml")
	_, styleErr := ParseTimeStyle("")
	for _, test := range []struct {
		err   error
		wants []string
	}{
		{formatErr, append(formatNames[:], `"xml"`)},
		{styleErr, append(timeStyleNames[:], `""`)},
	} {
		if test.err == nil {
			t.Errorf("no error that names %v", test.wants)
			continue
		}
		for _, want := range test.wants {
			if !strings.Contains(test.err.Error(), want) {
				t.Errorf("%q does not name %s", test.err, want)
			}
		}
	}
}
