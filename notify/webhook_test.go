package notify

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
)

// TestSignatureOfTheSpecification is the vector that its libraries test with.
func TestSignatureOfTheSpecification(t *testing.T) {
	secret, err := ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	require.NoError(t, err)
	require.Equal(t, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
		secret.Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`)))
}

// TestSignaturesVerify: each secret in force verifies, with the library that
// receivers use, and no other does.
func TestSignaturesVerify(t *testing.T) {
	body, err := EventBody("license.provisioned", time.Unix(1763935200, 0), json.RawMessage(`{"tenant_id":"mercedes"}`))
	require.NoError(t, err)
	require.JSONEq(t, `{"type":"license.provisioned","timestamp":"2025-11-23T22:00:00Z","data":{"tenant_id":"mercedes"}}`, string(body))

	secrets := []Secret{NewSecret(), NewSecret(), NewSecret()}
	for n := 1; n <= len(secrets); n++ {
		w := testWebhook("https://vector.com/hook")
		w.Secrets, w.Body = secrets[:n], body
		request, err := w.request(t.Context(), time.Now())
		require.NoError(t, err)
		require.Len(t, strings.Fields(request.Header.Get("webhook-signature")), n)
		for i, s := range secrets {
			verifier, err := standardwebhooks.NewWebhook(s.Reveal())
			require.NoError(t, err)
			if i < n {
				require.NoError(t, verifier.Verify(body, request.Header))
			} else {
				require.ErrorIs(t, verifier.Verify(body, request.Header), standardwebhooks.ErrNoMatchingSignature)
			}
			require.Error(t, verifier.Verify(append(body, ' '), request.Header))
			for _, header := range []string{"webhook-id", "webhook-timestamp"} {
				tampered := request.Header.Clone()
				tampered.Set(header, tampered.Get(header)+"0")
				require.Error(t, verifier.Verify(body, tampered))
			}
		}
		// A replay, ten minutes on.
		request, err = w.request(t.Context(), time.Now().Add(-10*time.Minute))
		require.NoError(t, err)
		verifier, err := standardwebhooks.NewWebhook(secrets[0].Reveal())
		require.NoError(t, err)
		require.ErrorIs(t, verifier.Verify(body, request.Header), standardwebhooks.ErrMessageTooOld)
	}
}

func TestSecrets(t *testing.T) {
	require.NotEqual(t, NewSecret(), NewSecret())
	s := NewSecret()
	again, err := ParseSecret(s.Reveal())
	require.NoError(t, err)
	require.Equal(t, s, again)
	of := func(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for _, good := range []string{of(24), of(64)} {
		_, err := ParseSecret("whsec_" + good)
		require.NoError(t, err)
	}
	for _, bad := range []string{"", "whsec_", of(32), "whsec_" + of(23), "whsec_" + of(65), "whsec_" + of(32) + "x", "whsec_" + of(24) + "\n", "WHSEC_" + of(32)} {
		_, err := ParseSecret(bad)
		require.ErrorIs(t, err, ErrSecret, bad)
	}
}

// TestSecretsShowThemselvesToNobody: not when printed, not inside of anything.
func TestSecretsShowThemselvesToNobody(t *testing.T) {
	w := testWebhook("https://vector.com/hook")
	text := strings.TrimPrefix(w.Secrets[0].Reveal(), "whsec_")
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("sent", "webhook", w, "secret", w.Secrets[0])
	slog.New(slog.NewJSONHandler(&log, nil)).Info("sent", "webhook", w, "secret", w.Secrets[0])
	encoded, err := json.Marshal(w)
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&log, verb+verb, w.Secrets[0], *w)
	}
	require.NotContains(t, log.String()+string(encoded), text)
	require.NotContains(t, log.String(), fmt.Sprintf("%x", w.Secrets[0].key))
	require.NotContains(t, log.String(), strings.Trim(fmt.Sprintf("%d", w.Secrets[0].key), "[]"))
}

// TestInvoiceWebhook is the seed's: the vendor's own key, and no signature
// without a secret.
func TestInvoiceWebhook(t *testing.T) {
	w := testWebhook("https://vector.com/api/billing/invoices")
	w.Secrets, w.Bearer = nil, "vector_internal_key"
	r, err := w.request(t.Context(), time.Unix(1763935200, 0))
	require.NoError(t, err)
	require.Equal(t, http.Header{
		"Authorization": {"Bearer vector_internal_key"}, "Content-Type": {"application/json"},
		"User-Agent": {"cloudlicenses-webhooks/1"}, "Webhook-Id": {"g1-42"}, "Webhook-Timestamp": {"1763935200"},
	}, r.Header)
	require.Equal(t, http.MethodPost, r.Method)

	w.Secrets = []Secret{NewSecret()}
	r, err = w.request(t.Context(), time.Now())
	require.NoError(t, err)
	require.NotEmpty(t, r.Header.Get("webhook-signature"))
}

func TestWebhookRefusesWhatCannotBeSent(t *testing.T) {
	for name, change := range map[string]func(*Webhook){
		"no id":          func(w *Webhook) { w.ID = "" },
		"id with a dot":  func(w *Webhook) { w.ID = "g1.42" }, // what separates it in what is signed
		"unsigned":       func(w *Webhook) { w.Secrets = nil },
		"empty secret":   func(w *Webhook) { w.Secrets = []Secret{{}} },
		"six secrets":    func(w *Webhook) { w.Secrets = make([]Secret, 6) },
		"key with lines": func(w *Webhook) { w.Bearer = "a\r\nX: b" },
		"key past ASCII": func(w *Webhook) { w.Bearer = "schlüssel" },
		"long key":       func(w *Webhook) { w.Bearer = strings.Repeat("x", 5000) },
		"no body":        func(w *Webhook) { w.Body = nil },
		"not JSON":       func(w *Webhook) { w.Body = []byte("{") },
		"long body":      func(w *Webhook) { w.Body = []byte(`"` + strings.Repeat("x", 1<<20) + `"`) },
	} {
		w := testWebhook("https://vector.com/hook")
		change(w)
		_, err := w.request(t.Context(), time.Now())
		require.ErrorIs(t, err, ErrWebhook, name)
	}
}

func TestCheckURL(t *testing.T) {
	for _, good := range []string{"https://vector.com", "https://vector.com:8443/a/b?c=d", "https://192.0.2.1/", "https://[2001:db8::1]:1/",
		"https://1vector.com/", "https://10.vector.com./", "https://0xvector/", "https://2130706433.vector"} {
		require.NoError(t, CheckURL(good, false), good)
	}
	require.NoError(t, CheckURL("http://127.0.0.1:80/", true))
	for _, bad := range []string{
		"", "/hook", "vector.com/hook", "http://vector.com", "ftp://vector.com", "file:///etc/passwd", "gopher://vector.com", "https:vector.com",
		"https://", "https://:443/", "https://user@vector.com", "https://user:pw@vector.com/", "https://vector.com/#x", "https://vector.com/#",
		"https://vector.com:0/", "https://vector.com:65536/", "https://vector.com:x/", "https://vector.com/\r\nX: y", "https://vector .com/",
		"https://vector.com/" + strings.Repeat("x", 2048),
		"https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0X7F.1:8443/", "https://0177.0.0.1/", "https://8.8.8.8./", "https://256.1.1.1/",
		"https://vector.0x/",
	} {
		require.ErrorIs(t, CheckURL(bad, false), ErrURL, bad)
	}
	require.ErrorIs(t, CheckURL("file:///etc/passwd", true), ErrURL)
}
