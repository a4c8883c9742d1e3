package ptx

import (
	"fmt"
	"strings"
)

// SyntaxError is what Parse returns for text that is not PTX or that needs something this package does not have.
type SyntaxError struct {
	File    string
	Line    int    // from 1
	Opcode  string // the instruction or directive concerned, empty where there is none
	Message string
}

func (e *SyntaxError) Error() string {
	if e.Opcode == "" {
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
	}
	return fmt.Sprintf("%s:%d: %s: %s", e.File, e.Line, e.Opcode, e.Message)
}

type tokenKind uint8

const (
	tokenEnd    tokenKind = iota
	tokenWord             // identifier, register, directive or opcode with its modifiers
	tokenNumber           // integer or float literal, still text
	tokenString           // quoted text without the quotes
	tokenMark             // one character of punctuation
)

type token struct {
	kind tokenKind
	text string
	line int
}

// lexer cuts source into tokens, one at a time.
type lexer struct {
	file   string
	source string
	at     int
	line   int
}

func (l *lexer) errorf(format string, arguments ...any) error {
	return &SyntaxError{File: l.file, Line: l.line, Message: fmt.Sprintf(format, arguments...)}
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isWordStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$' || c == '%' || c == '.'
}
func isWordPart(c byte) bool { return isWordStart(c) && c != '%' || isDigit(c) }

// skipBlank passes white space and comments.
func (l *lexer) skipBlank() error {
	for l.at < len(l.source) {
		rest := l.source[l.at:]
		switch {
		case rest[0] == '\n':
			l.line++
			l.at++
		case rest[0] == ' ' || rest[0] == '\t' || rest[0] == '\r' || rest[0] == '\f' || rest[0] == '\v':
			l.at++
		case strings.HasPrefix(rest, "//"):
			if end := strings.IndexByte(rest, '\n'); end >= 0 {
				l.at += end
			} else {
				l.at = len(l.source)
			}
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				return l.errorf("comment has no end")
			}
			l.line += strings.Count(rest[:end+4], "\n")
			l.at += end + 4
		default:
			return nil
		}
	}
	return nil
}

// next gives the next token; at the end of the source one of kind tokenEnd, again and again.
func (l *lexer) next() (token, error) {
	if err := l.skipBlank(); err != nil {
		return token{}, err
	}
	if l.at >= len(l.source) {
		return token{kind: tokenEnd, line: l.line}, nil
	}
	start := l.at
	c := l.source[start]
	switch {
	case isDigit(c):
		l.at = l.numberEnd(start)
		return token{tokenNumber, l.source[start:l.at], l.line}, nil
	case isWordStart(c):
		l.at = l.wordEnd(start)
		return token{tokenWord, l.source[start:l.at], l.line}, nil
	case c == '"':
		length := strings.IndexAny(l.source[start+1:], "\"\n")
		if length < 0 || l.source[start+1+length] == '\n' {
			return token{}, l.errorf("string has no end")
		}
		l.at = start + length + 2
		return token{tokenString, l.source[start+1 : start+1+length], l.line}, nil
	case strings.IndexByte("{}[]()<>,;:|!@=+-~*/", c) >= 0:
		l.at++
		return token{tokenMark, l.source[start:l.at], l.line}, nil
	}
	return token{}, l.errorf("unexpected character %q", c)
}

// wordEnd finds the end of a word; "::" inside an opcode ("L1::evict_last") belongs to it, the ":" after a label does not.
func (l *lexer) wordEnd(start int) int {
	at := start + 1
	for at < len(l.source) {
		switch {
		case isWordPart(l.source[at]):
			at++
		case strings.HasPrefix(l.source[at:], "::") && at+2 < len(l.source) && isWordPart(l.source[at+2]):
			at += 2
		default:
			return at
		}
	}
	return at
}

// numberEnd finds the end of a literal: digits, letters, a decimal point, and a sign after a decimal exponent.
func (l *lexer) numberEnd(start int) int {
	prefixed := start+1 < len(l.source) && l.source[start] == '0' && strings.IndexByte("xXfFdDbB", l.source[start+1]) >= 0
	at := start + 1
	for at < len(l.source) {
		c := l.source[at]
		exponent := !prefixed && (c == '+' || c == '-') && (l.source[at-1] == 'e' || l.source[at-1] == 'E')
		if !exponent && !isDigit(c) && !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '.') {
			break
		}
		at++
	}
	return at
}
