import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// A running `bin/cloudlicenses dev`; the page's own host goes along, because
// the host says whose portal it is (http://mercedes.localhost:5173).
const server = process.env.CLOUDLICENSES_URL ?? 'http://127.0.0.1:8080';
const admin = process.env.CLOUDLICENSES_ADMIN_URL;
const proxy = {
  // A page and an answer share this path: what a browser navigates to is the page.
  '/problems': { target: server, changeOrigin: false, bypass: (r: { headers: { accept?: string }; url?: string }) => (r.headers.accept?.includes('text/html') === true ? r.url : undefined) },
  '/api': { target: server, changeOrigin: false },
  '/packages': { target: server, changeOrigin: false },
  ...(admin === undefined ? {} : { '/v1': { target: admin, changeOrigin: false } }),
};

export default defineConfig({
  plugins: [react()],
  build: { outDir: 'dist', manifest: true, target: 'es2022', sourcemap: false },
  server: { proxy },
  preview: { proxy },
  test: { environment: 'jsdom', include: ['src/**/*.test.{ts,tsx}'] },
});
