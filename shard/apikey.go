package shard

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"hash/crc32"

	"github.com/cloudlicenses/cloudlicenses"
)

// An API key of a tenant and one of a vendor are written
//
//	clsk_<tenant>_<random><checksum>
//	clvk_<vendor>_<random><checksum>
//
// random is 22 base62 characters (131 random bits), checksum 6 base62 digits
// of the CRC-32 (IEEE) of all that stands before it: a mistyped key is told
// from an unknown one without a look-up. The last underscore ends the id.
const (
	apiKeyPrefix    = "clsk_"
	vendorKeyPrefix = "clvk_"
	apiKeyRandom    = 22
	apiKeyChecksum  = 6
	apiKeySuffix    = apiKeyRandom + apiKeyChecksum
	maxAPIKeyLength = len(vendorKeyPrefix) + cloudlicenses.MaxIDLength + 1 + apiKeySuffix
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// base62Digit is the inverse of base62; 0xff marks what is no digit.
var base62Digit = func() (table [256]byte) {
	for i := range table {
		table[i] = 0xff
	}
	for i := range len(base62) {
		table[base62[i]] = byte(i)
	}
	return table
}()

// ErrAPIKey is returned for a text that is no API key of a tenant.
var ErrAPIKey = errors.New("not an API key: want clsk_<tenant>_<random and checksum>")

// ErrVendorKey is returned for a text that is no API key of a vendor.
var ErrVendorKey = errors.New("not a vendor's API key: want clvk_<vendor>_<random and checksum>")

// NewAPIKey returns a fresh API key of a tenant, or of a vendor by the name of
// its account.
func NewAPIKey(account cloudlicenses.TenantID) string {
	prefix, id := apiKeyPrefix, string(account)
	if vendor, ok := account.Vendor(); ok {
		prefix, id = vendorKeyPrefix, string(vendor)
	}
	b := make([]byte, 0, len(prefix)+len(id)+1+apiKeySuffix)
	b = append(append(append(b, prefix...), id...), '_')
	b = appendRandom62(b, apiKeyRandom)
	return string(appendChecksum62(b, checksum(string(b))))
}

// appendRandom62 appends n base62 characters, each of equal likelihood.
func appendRandom62(b []byte, n int) []byte {
	var random [64]byte
	for n > 0 {
		_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the process first
		for _, r := range random {
			if r &= 63; r < 62 && n > 0 {
				b = append(b, base62[r])
				n--
			}
		}
	}
	return b
}

func appendChecksum62(b []byte, sum uint32) []byte {
	var digits [apiKeyChecksum]byte
	for i := apiKeyChecksum - 1; i >= 0; i-- {
		digits[i] = base62[sum%62]
		sum /= 62
	}
	return append(b, digits[:]...)
}

// checksum is crc32.ChecksumIEEE over a string, which that one can't take
// without an allocation.
func checksum(s string) uint32 {
	crc := ^uint32(0)
	for i := range len(s) {
		crc = crc32.IEEETable[byte(crc)^s[i]] ^ (crc >> 8)
	}
	return ^crc
}

// ParseAPIKey returns the tenant of an API key whose form and checksum are
// right. It allocates nothing; the id aliases key.
func ParseAPIKey(key string) (cloudlicenses.TenantID, error) {
	text, ok := keyID(key, apiKeyPrefix)
	if id := cloudlicenses.TenantID(text); ok && id.Validate() == nil {
		return id, nil
	}
	return "", ErrAPIKey
}

// ParseVendorKey returns the vendor of an API key whose form and checksum are
// right. The id aliases key.
func ParseVendorKey(key string) (cloudlicenses.VendorID, error) {
	id, ok := keyID(key, vendorKeyPrefix)
	if ok && cloudlicenses.ValidateID(id) == nil {
		return cloudlicenses.VendorID(id), nil
	}
	return "", ErrVendorKey
}

// keyID returns the id in a key whose random and checksum are right.
func keyID(key, prefix string) (id string, ok bool) {
	if len(key) > maxAPIKeyLength || len(key) <= len(prefix)+1+apiKeySuffix || key[:len(prefix)] != prefix {
		return "", false
	}
	cut := len(key) - apiKeySuffix - 1
	if key[cut] != '_' {
		return "", false
	}
	random := key[cut+1:]
	for i := range apiKeyRandom {
		if base62Digit[random[i]] == 0xff {
			return "", false
		}
	}
	var sum uint64
	for i := apiKeyRandom; i < len(random); i++ {
		digit := base62Digit[random[i]]
		if digit == 0xff {
			return "", false
		}
		sum = sum*62 + uint64(digit)
	}
	return key[len(prefix):cut], sum == uint64(checksum(key[:len(key)-apiKeyChecksum]))
}

// accountOf returns whose key it is: a tenant's id, or the name of a vendor's
// account.
func accountOf(key string) (cloudlicenses.TenantID, error) {
	if vendor, err := ParseVendorKey(key); err == nil {
		return vendor.Account(), nil
	}
	return ParseAPIKey(key)
}

// HashAPIKey returns HMAC-SHA-256 of key under secret, by which keys are
// stored and found. A key that ParseAPIKey accepts costs no allocation; the
// two hashes of RFC 2104 are written out for that.
func HashAPIKey(secret []byte, key string) [32]byte {
	var inner [sha256.BlockSize + maxAPIKeyLength]byte
	if len(key) > maxAPIKeyLength || len(secret) > sha256.BlockSize {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(key))
		return [32]byte(mac.Sum(nil))
	}
	var outer [sha256.BlockSize + sha256.Size]byte
	copy(inner[:], secret)
	copy(outer[:], secret)
	for i := range sha256.BlockSize {
		inner[i] ^= 0x36
		outer[i] ^= 0x5c
	}
	n := copy(inner[sha256.BlockSize:], key)
	sum := sha256.Sum256(inner[:sha256.BlockSize+n])
	copy(outer[sha256.BlockSize:], sum[:])
	return sha256.Sum256(outer[:])
}
