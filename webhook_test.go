package cloudlicenses

import "testing"

func TestDeliveryIDs(t *testing.T) {
	id := FormatDeliveryID("wh-0192-ab", 42)
	if endpoint, number, ok := ParseDeliveryID(id); id != "wh-0192-ab-42" || endpoint != "wh-0192-ab" || number != 42 || !ok {
		t.Fatal(id, endpoint, number, ok)
	}
	for _, bad := range []string{"", "-", "-1", "wh", "wh-", "wh-0", "wh-01", "wh-+1", "wh-1x", "wh-18446744073709551616"} {
		if _, _, ok := ParseDeliveryID(bad); ok {
			t.Error(bad)
		}
	}
}

func TestEventKinds(t *testing.T) {
	for _, kind := range EventKinds {
		if !kind.Valid() {
			t.Error(kind)
		}
	}
	if EventKind("license").Valid() || EventKind("").Valid() {
		t.Error("an unknown kind is valid")
	}
}
