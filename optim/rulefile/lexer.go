package rulefile

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	endToken tokenKind = iota // the end of a line, or ";"
	eofToken
	numberToken
	nameToken
	stringToken // with its quotes
	operatorToken
)

type token struct {
	kind tokenKind
	text string
	at   position
}

// found says what a token is, for a message.
func (t token) found() string {
	switch {
	case t.kind == eofToken:
		return "end of file"
	case t.kind == endToken && t.text == "\n":
		return "end of line"
	case t.kind == stringToken:
		return t.text
	}
	return `"` + t.text + `"`
}

// instead is what to write for a character that the language does not have.
var instead = map[rune]string{
	'&': "write and", '|': "write or", '!': "write not, or != for unequal", '\'': `a text stands in double quotes`,
	'{': "there are no blocks: write where(condition, x, y), or x = y if condition", '?': "write where(condition, x, y)",
	'×': "a product is x * y", '·': "a product is x * y", '−': "write the minus sign of the keyboard, -", '√': "write sqrt(x)",
}

// lexer divides a file into tokens.
type lexer struct {
	file, text string
	offset     int
	at         position
	brackets   int // that are open
	tokens     []token
}

// lex returns the tokens of a text. An end of line inside brackets is not a token.
func lex(file, text string) []token {
	l := &lexer{file: file, text: strings.TrimPrefix(text, "\ufeff"), at: position{1, 1}}
	for l.offset < len(l.text) {
		l.next()
	}
	return append(l.tokens, token{endToken, "\n", l.at}, token{eofToken, "", l.at})
}

// rest is the text from the current offset on.
func (l *lexer) rest() string { return l.text[l.offset:] }

// skip moves past n bytes without a line's end and returns them.
func (l *lexer) skip(n int) string {
	skipped := l.rest()[:n]
	l.offset += n
	l.at.column += utf8.RuneCountInString(skipped)
	return skipped
}

func (l *lexer) emit(kind tokenKind, bytes int) {
	at := l.at
	if most := map[tokenKind]int{nameToken: mostToken, numberToken: mostToken, stringToken: mostText + 2}[kind]; most > 0 && bytes > most {
		fail(l.file, at, "%s... has %d bytes: names and numbers have at most %d, texts in quotes %d", string([]rune(l.rest())[:16]), bytes, mostToken, mostText)
	}
	l.tokens = append(l.tokens, token{kind, l.skip(bytes), at})
}

func (l *lexer) next() {
	rest := l.rest()
	switch c := rest[0]; {
	case c == ' ' || c == '\t' || c == '\r':
		l.skip(1)
	case c == '#':
		l.comment()
	case c == '\n':
		if l.brackets == 0 {
			l.tokens = append(l.tokens, token{endToken, "\n", l.at})
		}
		l.offset++
		l.at = position{l.at.line + 1, 1}
	case c == ';':
		l.emit(endToken, 1)
	case c == '"':
		l.quoted()
	case digit(c) || c == '.' && len(rest) > 1 && digit(rest[1]):
		l.number()
	case letter(c):
		l.emit(nameToken, span(rest, func(c byte) bool { return letter(c) || digit(c) || c == '_' }))
	default:
		l.operator()
	}
}

func digit(c byte) bool  { return c >= '0' && c <= '9' }
func letter(c byte) bool { return c >= 'a' && c <= 'z' }

// span is the length of the longest prefix of s whose bytes are all of a class.
func span(s string, class func(byte) bool) int {
	for i := range len(s) {
		if !class(s[i]) {
			return i
		}
	}
	return len(s)
}

func (l *lexer) comment() {
	line, _, _ := strings.Cut(l.rest(), "\n")
	l.utf8(line)
	l.skip(len(line))
}

// quoted reads a text in quotes. It ends on its line and can be printed.
func (l *lexer) quoted() {
	line, _, _ := strings.Cut(l.rest(), "\n")
	end := strings.IndexByte(line[1:], '"')
	if end < 0 {
		fail(l.file, l.at, `the text in quotes does not end: expected another " on this line`)
	}
	text := line[:end+2]
	l.utf8(text)
	for _, r := range text {
		if !unicode.IsPrint(r) {
			fail(l.file, l.at, "the text in quotes contains %q: expected characters that can be printed", r)
		}
	}
	l.emit(stringToken, len(text))
}

func (l *lexer) utf8(text string) {
	if !utf8.ValidString(text) {
		fail(l.file, l.at, "this is not UTF-8: save the file in that encoding")
	}
}

func (l *lexer) number() {
	rest := l.rest()
	n := span(rest, digit)
	if n < len(rest) && rest[n] == '.' {
		n++
		n += span(rest[n:], digit)
	}
	if n < len(rest) && (rest[n] == 'e' || rest[n] == 'E') {
		sign := n + 1
		if sign < len(rest) && (rest[sign] == '+' || rest[sign] == '-') {
			sign++
		}
		if digits := span(rest[sign:], digit); digits > 0 {
			n = sign + digits
		}
	}
	l.emit(numberToken, n)
	if r, size := utf8.DecodeRuneInString(l.rest()); size > 0 && (r == '.' || r == '_' || unicode.IsLetter(r)) {
		fail(l.file, l.at, `unexpected %q after the number %s: numbers are decimal, as 1e-3, and a product is x * y`, string(r), rest[:n])
	}
}

func (l *lexer) operator() {
	rest := l.rest()
	if len(rest) > 1 && rest[1] == '=' && strings.IndexByte("+-*<>=!", rest[0]) >= 0 {
		l.emit(operatorToken, 2)
		return
	}
	if strings.IndexByte("+-*/^<>=(),.[]", rest[0]) < 0 {
		r, size := utf8.DecodeRuneInString(rest)
		l.utf8(rest[:size])
		advice, ok := instead[r]
		if !ok {
			advice = "expected a name (lower case), a number or an operator"
		}
		fail(l.file, l.at, "unexpected %q: %s", string(r), advice)
	}
	switch rest[0] {
	case '(':
		l.brackets++
	case ')', ']': // a range may open with ( and close with ]
		l.brackets = max(0, l.brackets-1)
	}
	l.emit(operatorToken, 1)
}
