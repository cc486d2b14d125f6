// The certified oidc-provider with clients and people for tests: `node server.mjs ISSUER PORT CONTROLPORT MODULES`.
//
// Signing in at it is one form post (login, then consent, by the package's own development pages). The control port, which only
// tests use, turns its keys, its clock of access tokens, and says what people are.
import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [issuer, port, controlPort, modules] = process.argv.slice(2);
const require = createRequire(pathToFileURL(modules + '/').href);
const { default: Provider } = await import(pathToFileURL(require.resolve('oidc-provider')).href);

let serial = 0;
function signingKey(type) {
  const pair = type === 'EC' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...pair.privateKey.export({ format: 'jwk' }), kid: `key-${++serial}`, use: 'sig', alg: type === 'EC' ? 'ES256' : 'RS256' };
}

// Where it is told a file, a provider that was killed goes on with what it knew.
const keptFile = process.env.KEPT ?? '';
const kept = keptFile && existsSync(keptFile) ? JSON.parse(readFileSync(keptFile, 'utf8')) : {};
function keep() {
  if (!keptFile) return;
  writeFileSync(`${keptFile}.new`, JSON.stringify({ people, keys, store: [...store] }), { mode: 0o600 });
  renameSync(`${keptFile}.new`, keptFile);
}

const people = kept.people ?? {
  alice: { email: 'alice@example.com', email_verified: true, name: 'Alice', groups: ['team-a', 'system:masters'] },
  bob: { email: 'bob@example.com', email_verified: false, name: 'Bob', groups: ['team-b'] },
};
const store = new Map(kept.store ?? []); // survives a change of keys, as a provider's database does
class Adapter {
  constructor(name) { this.name = name; }
  key(id) { return `${this.name}:${id}`; }
  async upsert(id, payload) {
    store.set(this.key(id), payload);
    if (payload.uid) store.set(this.key(`uid:${payload.uid}`), id);
    if (payload.userCode) store.set(this.key(`code:${payload.userCode}`), id);
    keep();
  }
  async find(id) { return store.get(this.key(id)); }
  async findByUid(uid) { return this.find(store.get(this.key(`uid:${uid}`))); }
  async findByUserCode(code) { return this.find(store.get(this.key(`code:${code}`))); }
  async destroy(id) { store.delete(this.key(id)); keep(); }
  async revokeByGrantId(grant) { for (const [key, value] of store) if (value?.grantId === grant) store.delete(key); keep(); }
  async consume(id) { const found = store.get(this.key(id)); if (found) found.consumed = Math.floor(Date.now() / 1000); keep(); }
}

let keys = kept.keys ?? [signingKey('RSA'), signingKey('EC')];
const redirects = JSON.parse(process.env.REDIRECTS ?? '[]');
const after = JSON.parse(process.env.AFTER_LOGOUT ?? '[]');
const cookieKeys = ['for-tests-only'];

function makeProvider() {
  const provider = new Provider(issuer, {
    adapter: Adapter,
    jwks: { keys },
    cookies: { keys: cookieKeys },
    clients: [
      { client_id: 'trueup', client_secret: 'client-secret/+:% of tests', redirect_uris: redirects, post_logout_redirect_uris: after,
        grant_types: ['authorization_code', 'refresh_token'], id_token_signed_response_alg: process.env.ALG ?? 'RS256' },
      { client_id: 'trueup-cli', token_endpoint_auth_method: 'none', application_type: 'native', redirect_uris: ['http://localhost/auth/callback'],
        grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'] },
      { client_id: 'somebody-else', client_secret: 'other', redirect_uris: redirects, grant_types: ['authorization_code'] },
    ],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
    scopes: ['openid', 'offline_access', 'email', 'profile', 'groups'],
    conformIdTokenClaims: process.env.CONFORM === '1',
    features: { devInteractions: { enabled: true }, deviceFlow: { enabled: true }, claimsParameter: { enabled: true },
      rpInitiatedLogout: { enabled: true }, userinfo: { enabled: true }, revocation: { enabled: true } },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    ttl: { AccessToken: 120, IdToken: 600, RefreshToken: 86400, Grant: 86400, Session: 86400, Interaction: 600, DeviceCode: 600 },
    findAccount: async (_ctx, sub) => people[sub] && { accountId: sub, claims: async () => ({ sub, ...people[sub] }) },
  });
  provider.on('server_error', (_ctx, error) => console.error(error));
  return provider.callback();
}

let handler = makeProvider();
createServer((request, response) => handler(request, response)).listen(Number(port), '127.0.0.1');
createServer((request, response) => {
  let body = '';
  request.on('data', (part) => { body += part; });
  request.on('end', () => {
    const said = body ? JSON.parse(body) : {};
    if (request.url === '/turn-keys') { keys = [signingKey('RSA'), signingKey('EC')]; handler = makeProvider(); }
    if (request.url === '/person') { if (said.claims) people[said.name] = said.claims; else delete people[said.name]; }
    if (request.url === '/forget') store.clear();
    keep();
    response.end(JSON.stringify({ keys: keys.map((key) => key.kid), redirects }));
  });
}).listen(Number(controlPort), '127.0.0.1');
console.log('ready');
