package billing

import (
	"bytes"
	"encoding/json"

	"github.com/cloudlicenses/cloudlicenses"
)

// A document is appended field by field, not marshaled: money is a JSON number
// with the currency's own decimals (22000.00), which no encoder of the
// standard library writes, and the order of fields is the seed's.

// appendText appends text as a JSON string. Bytes that are not UTF-8 become
// U+FFFD.
func appendText[T ~string](b []byte, text T) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7F {
			return appendHardText(b, string(text))
		}
	}
	return append(append(append(b, '"'), text...), '"')
}

func appendHardText(b []byte, text string) []byte {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false) // "Mercedes & Co" stays readable
	if encoder.Encode(text) != nil {
		return append(b, `""`...) // a string always encodes
	}
	return append(b, bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))...)
}

// appendOptional is appendText, and null for nothing.
func appendOptional[T ~string](b []byte, text T) []byte {
	if text == "" {
		return append(b, "null"...)
	}
	return appendText(b, text)
}

// appendName appends a field's name, after a comma unless it is the first of
// its object.
func appendName(b []byte, name string) []byte {
	if len(b) > 0 && b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	return append(append(append(b, '"'), name...), `":`...)
}

// appendNext appends the comma between two elements of an array.
func appendNext(b []byte, i int) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	return b
}

func appendTextField[T ~string](b []byte, name string, text T) []byte {
	return appendText(appendName(b, name), text)
}

func appendMoneyField(b []byte, name string, minor int64, decimals int) []byte {
	return appendMoney(appendName(b, name), minor, decimals)
}

// appendTotals appends the totals of a document: the one amount and its
// currency where there is one currency, else nulls and totals[] with one for
// each (contract, "States and rules").
func appendTotals(b []byte, name string, t tally) ([]byte, error) {
	if len(t) == 1 {
		count, err := t[0].Currency.Decimals()
		if err != nil {
			return nil, err
		}
		b = appendMoneyField(b, name, t[0].Minor, count)
		return appendTextField(b, "currency", t[0].Currency), nil
	}
	b = append(appendName(b, name), "null"...)
	b = append(appendName(b, "currency"), "null"...)
	b = append(appendName(b, "totals"), '[')
	for i, sum := range t {
		count, err := sum.Currency.Decimals()
		if err != nil {
			return nil, err
		}
		b = append(appendNext(b, i), '{')
		b = appendTextField[cloudlicenses.Currency](b, "currency", sum.Currency)
		b = append(appendMoneyField(b, name, sum.Minor, count), '}')
	}
	return append(b, ']'), nil
}
