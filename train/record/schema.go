package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// decode reads the JSON of a file, or of a line of one, into v, a pointer to a struct. It
// returns all that is wrong with it; then v is not to be used.
//
// The struct is the schema. A field must be there unless its tag json has omitempty, or its
// tag since is a schema that came after that of the content. No other fields may be. The tag
// in says what a field, or each element of a list, may be: a range such as "0..1" or "0..",
// or words such as "finished|diverged". Without it, a text is not empty and a number finite.
// A type with a method Check says itself what it may be.
func decode(place string, content []byte, v any) Problems {
	c := &checker{}
	if object, err := parse(content); err != nil {
		c.wrong("is damaged: %v", err)
	} else {
		number, _ := object["schema"].(json.Number)
		c.schema, _ = strconv.Atoi(number.String())
		if c.schema > Schema {
			c.wrong("has schema %d and this program knows %d: use the program that wrote it, or a newer one", c.schema, Schema)
		} else {
			c.fields("", object, reflect.TypeOf(v).Elem())
		}
	}
	if c.sentences == nil {
		if err := json.Unmarshal(content, v); err != nil {
			c.wrong("is damaged: %v", err)
		}
	}
	var problems Problems
	for _, sentence := range c.sentences {
		problems = append(problems, Problem{Place: place, Sentence: sentence})
	}
	return problems
}

// parse returns the object that a content is, with its numbers as they are written.
func parse(content []byte) (object map[string]any, err error) {
	var syntax *json.SyntaxError
	if err := json.Unmarshal(content, &json.RawMessage{}); errors.As(err, &syntax) {
		at := syntax.Offset
		switch {
		case len(bytes.TrimSpace(content)) == 0:
			return nil, errors.New("it is empty")
		case at >= int64(len(content)):
			return nil, errors.New("it ends in the middle")
		}
		return nil, fmt.Errorf("line %d is not JSON at %.20q", 1+bytes.Count(content[:at], []byte("\n")), content[max(0, at-1):])
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	if decoder.Decode(&object) != nil || object == nil {
		return nil, errors.New("it holds no object {...}")
	}
	return object, nil
}

// checker compares the value of a content with a type.
type checker struct {
	schema    int // of the content; 0 for none
	sentences []string
}

func (c *checker) wrong(format string, values ...any) {
	c.sentences = append(c.sentences, fmt.Sprintf(format, values...))
}

// fields checks the fields of an object. prefix is the object's name with a dot.
func (c *checker) fields(prefix string, object map[string]any, t reflect.Type) {
	unknown := maps.Clone(object)
	var missing []string
	for _, f := range visibleFields(t) {
		tag, ok := f.Tag.Lookup("json")
		if !ok {
			continue // embedded: its fields come too
		}
		key, options, _ := strings.Cut(tag, ",")
		delete(unknown, key)
		since, _ := strconv.Atoi(f.Tag.Get("since"))
		optional := options == "omitempty"
		if value, there := object[key]; there && !(value == nil && optional) {
			c.check(prefix+key, value, f.Type, f.Tag.Get("in"))
		} else if !optional && since <= c.schema {
			missing = append(missing, prefix+key)
		}
	}
	if missing != nil {
		c.wrong("has no field %s", strings.Join(missing, ", "))
	}
	for _, key := range slices.Sorted(maps.Keys(unknown)) {
		c.wrong("has an unknown field %s", prefix+key)
	}
}

var fieldsOf sync.Map // reflect.Type -> []reflect.StructField

// visibleFields is [reflect.VisibleFields], once for each type.
func visibleFields(t reflect.Type) []reflect.StructField {
	if fields, ok := fieldsOf.Load(t); ok {
		return fields.([]reflect.StructField)
	}
	fields := reflect.VisibleFields(t)
	fieldsOf.Store(t, fields)
	return fields
}

// plain reads a line of numbers into v, as decode does, and says whether it could. It can where
// the line is what this program writes of v, so that no field is missing, unknown or another, and
// every number is in its range. It takes a sixth of decode's time.
func plain(line []byte, v any) bool {
	if json.Unmarshal(line, v) != nil {
		return false
	}
	written, err := json.Marshal(v)
	return err == nil && bytes.Equal(bytes.TrimSuffix(line, []byte("\n")), written) && inRange(reflect.ValueOf(v).Elem())
}

// inRange says whether all fields of a struct are numbers in the ranges of their tags, or structs
// of such.
func inRange(v reflect.Value) bool {
	for _, f := range visibleFields(v.Type()) {
		field := v.FieldByIndex(f.Index)
		if f.Type.Kind() == reflect.Pointer {
			if field.IsNil() {
				continue
			}
			field = field.Elem()
		}
		var number float64
		switch {
		case field.Kind() == reflect.Struct:
			if !inRange(field) {
				return false
			}
			continue
		case field.CanInt():
			number = float64(field.Int())
		case field.CanFloat():
			number = field.Float()
		default:
			return false
		}
		if low, high := limits(f.Tag.Get("in")); number < low || number > high {
			return false
		}
	}
	return true
}

// limits are those of a range such as "0..1" or "0..".
func limits(in string) (low, high float64) {
	low, high = math.Inf(-1), math.Inf(1)
	least, most, _ := strings.Cut(in, "..")
	if least != "" {
		low, _ = strconv.ParseFloat(least, 64)
	}
	if most != "" {
		high, _ = strconv.ParseFloat(most, 64)
	}
	return low, high
}

// anyText is the tag in of a text that may be empty.
const anyText = "*"

// check checks a value against a type and its tag in.
func (c *checker) check(name string, value any, t reflect.Type, in string) {
	expect := func(ok bool, what string) {
		if !ok {
			shown, _ := json.Marshal(value) // it came from JSON
			c.wrong("has %s = %.60s: %s is expected", name, shown, what)
		}
	}
	text, isText := value.(string)
	object, isObject := value.(map[string]any)
	switch t.Kind() {
	case reflect.Pointer:
		c.check(name, value, t.Elem(), in)
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			_, err := time.Parse(time.RFC3339, text)
			expect(isText && err == nil, "a time such as 2026-01-31T12:00:00Z")
		} else if expect(isObject, "an object {...}"); isObject {
			c.fields(name+".", object, t)
		}
	case reflect.Map:
		expect(isObject, "an object {...}")
		if t.Elem().Kind() == reflect.String {
			in = anyText
		}
		for _, key := range slices.Sorted(maps.Keys(object)) {
			c.check(name+"."+key, object[key], t.Elem(), in)
		}
	case reflect.Slice:
		list, isList := value.([]any)
		expect(isList, "a list [...]")
		for i, element := range list {
			c.check(fmt.Sprintf("%s[%d]", name, i), element, t.Elem(), in)
		}
	case reflect.Bool:
		_, is := value.(bool)
		expect(is, "true or false")
	case reflect.String:
		if word, ok := reflect.ValueOf(text).Convert(t).Interface().(interface{ Check() error }); ok {
			if err := word.Check(); err != nil {
				expect(false, err.Error())
			}
		} else if in == "" || in == anyText {
			expect(isText && (text != "" || in == anyText), "a text")
		} else {
			words := strings.Split(in, "|")
			expect(isText && slices.Contains(words, text), strings.Join(words, " or "))
		}
	default:
		number, _ := value.(json.Number)
		v, err := number.Float64()
		what := "a number"
		if t.Kind() == reflect.Int {
			_, err = strconv.Atoi(number.String())
			what = "a whole number"
		}
		low, high := limits(in)
		least, most, _ := strings.Cut(in, "..")
		if least != "" {
			what += " of at least " + least
		}
		if most != "" {
			what += " and at most " + most
		}
		expect(err == nil && v >= low && v <= high, what)
	}
}
