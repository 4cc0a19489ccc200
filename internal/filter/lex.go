package filter

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// token is a word, an operator or a parenthesis.
type token struct {
	text   string // of a word: without its quotes
	offset int    // of its first byte
	quoted bool   // at least in part: never a word of the language
	symbol bool   // made of special characters
}

// is says whether the token is one of the words or symbols of the language.
func (t token) is(words ...string) bool {
	if t.quoted {
		return false
	}
	for _, word := range words {
		if t.text == word {
			return true
		}
	}
	return false
}

// Characters that end a word unless they are quoted. Each is a symbol by itself, unless two make one of symbols.
const (
	special = `()!=<>&|`
	quotes  = `'"`
)

var symbols = [...]string{"==", "!=", "<=", ">=", "&&", "||"}

func isBlank(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '\r' }

// lex cuts text into tokens. A backslash is an ordinary character: patterns and names of cgroups have them.
func lex(text string) (tokens []token, err error) {
	if err := checkRunes(text); err != nil {
		return nil, err
	}
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case isBlank(rune(c)):
			i++
		case strings.IndexByte(special, c) >= 0:
			symbol := text[i : i+1]
			for _, s := range symbols {
				if strings.HasPrefix(text[i:], s) {
					symbol = s
				}
			}
			tokens = append(tokens, token{text: symbol, offset: i, symbol: true})
			i += len(symbol)
		default:
			word, end, err := lexWord(text, i)
			if err != nil {
				return nil, err
			}
			tokens = append(tokens, word)
			i = end
		}
	}
	return tokens, nil
}

// checkRunes refuses what cannot be seen: a filter is shown in errors and help, and nobody means it.
func checkRunes(text string) error {
	for i, r := range text {
		if _, size := utf8.DecodeRuneInString(text[i:]); r == utf8.RuneError && size == 1 {
			return syntaxError(text, i, "byte %#02x is not UTF-8: in a pattern, write ? for it", text[i])
		}
		if !isBlank(r) && !unicode.IsPrint(r) {
			return syntaxError(text, i, "invisible character %U: leave it out; in a pattern, write ? for it", r)
		}
	}
	return nil
}

// lexWord takes a word, parts of which may be quoted as in a shell; inside quotes nothing is special.
func lexWord(text string, start int) (word token, end int, err error) {
	word.offset = start
	var value strings.Builder
	i := start
	for i < len(text) && !isBlank(rune(text[i])) && strings.IndexByte(special, text[i]) < 0 {
		if strings.IndexByte(quotes, text[i]) < 0 {
			value.WriteByte(text[i])
			i++
			continue
		}
		length := strings.IndexByte(text[i+1:], text[i])
		if length < 0 {
			return word, 0, syntaxError(text, i, "quote %c is not closed", text[i])
		}
		inside := text[i+1 : i+1+length]
		if at := strings.IndexAny(inside, "\t\n\r"); at >= 0 {
			return word, 0, syntaxError(text, i+1+at, "invisible character %U in quotes: in a pattern, write ? for it", inside[at])
		}
		value.WriteString(inside)
		word.quoted = true
		i += length + 2
	}
	word.text = value.String()
	return word, i, nil
}

// appendWord writes a value so that lex reads it back as one word that is not of the language.
func appendWord(text []byte, value string) []byte {
	if value != "" && !strings.ContainsAny(value, special+quotes+" \t\r\n") && !isReserved(value) {
		return append(text, value...)
	}
	if !strings.Contains(value, "'") {
		return append(append(append(text, '\''), value...), '\'')
	}
	for i, part := range strings.Split(value, `"`) { // in double quotes, and each of these in single ones
		if i > 0 {
			text = append(text, `'"'`...)
		}
		text = append(append(append(text, '"'), part...), '"')
	}
	return text
}
