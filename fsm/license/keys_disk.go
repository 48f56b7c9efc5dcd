package license

import "fmt"

// useRecord is what a key keeps besides itself.
func (k *key) useRecord() *keyUseRecord {
	return &keyUseRecord{LastUsedMillis: k.lastUsed, Minute: k.minute.record(), Hour: k.hour.record()}
}

func (l *loader) key(k, value []byte) error {
	t, number, err := l.keyNumbers(k, 9)
	if err != nil {
		return err
	}
	loaded := &key{tenant: t, number: number}
	if err := decode(&loaded.Key, value); err != nil {
		return err
	}
	if int(number) != len(t.keyByNumber)+1 {
		return fmt.Errorf("want key %d of the tenant", len(t.keyByNumber)+1)
	}
	networks, detail := loaded.Restrictions.check()
	if detail != "" {
		return fmt.Errorf("key %d: %s", number, detail)
	}
	loaded.networks = networks
	t.admitKey(loaded)
	return nil
}

// keyNumbered finds the key that a record of one belongs to.
func (l *loader) keyNumbered(k []byte) (*key, error) {
	t, number, err := l.keyNumbers(k, 9)
	if err != nil {
		return nil, err
	}
	if number == 0 || int(number) > len(t.keyByNumber) {
		return nil, fmt.Errorf("no key %d", number)
	}
	return t.keyByNumber[number-1], nil
}

func (l *loader) spend(k, value []byte) error {
	of, err := l.keyNumbered(k)
	if err != nil {
		return err
	}
	return decode(&of.spent, value)
}

func (l *loader) use(k, value []byte) error {
	of, err := l.keyNumbered(k)
	if err != nil {
		return err
	}
	var r keyUseRecord
	if err := decode(&r, value); err != nil {
		return err
	}
	if len(r.Minute.Counts) > windowSlots || len(r.Hour.Counts) > windowSlots {
		return fmt.Errorf("its windows are too long")
	}
	of.lastUsed, of.minute, of.hour = r.LastUsedMillis, newWindow(r.Minute), newWindow(r.Hour)
	return nil
}
