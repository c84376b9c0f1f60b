// Vendors that sign with a private key: Belay gets the public one to verify with, and a private one of the test to send with.
import { Buffer } from 'node:buffer';
import { createRequire } from 'node:module';
import { key_pair, seconds, unless_thrown } from '../webhook.mjs';

const require = createRequire(import.meta.url);

const ed25519 = key_pair('ed25519');
const ed25519_raw = Buffer.from(ed25519.public_base64, 'base64').subarray(-32);
const p256 = key_pair('ec', { namedCurve: 'prime256v1' });
const rsa = key_pair('rsa', { modulusLength: 2048 });

const discord = {
  name: 'discord',
  package: 'discord-interactions',
  secret: ed25519_raw.toString('hex'),
  sender_secret: ed25519.private_pem,
  verifies: 'verifyKey',
  async verify({ body, headers }, { secret }) {
    const { verifyKey } = await import('discord-interactions');
    return verifyKey(body, headers['x-signature-ed25519'], headers['x-signature-timestamp'], secret);
  },
};

const telnyx = {
  name: 'telnyx',
  package: 'telnyx',
  secret: ed25519_raw.toString('base64'),
  sender_secret: ed25519.private_pem,
  body: '{"data":{"event_type":"message.received","id":"b301ed3f","occurred_at":"2026-01-01T00:00:00Z","payload":{"text":"Zoë belay"}}}',
  verifies: 'webhooks.unwrap',
  async verify({ text, headers }, { secret }) {
    const { default: Telnyx } = await import('telnyx');
    const client = new Telnyx({ apiKey: 'unused', publicKey: secret });
    return unless_thrown(() => client.webhooks.unwrap(text, { headers }));
  },
};

const sendgrid = {
  name: 'sendgrid',
  package: '@sendgrid/eventwebhook',
  secret: p256.public_base64,
  sender_secret: p256.private_pem,
  body: '[{"email":"belay@example.test","event":"processed","sg_event_id":"rbtnWrG1DVDGGGFHFyun0A==","n":1e2}]\r\n',
  signs: 'starkbank-ecdsa Ecdsa.sign, its dependency',
  async sign({ text }) {
    const { Ecdsa, PrivateKey } = require('starkbank-ecdsa');
    const timestamp = seconds();
    const key = PrivateKey.fromPem(p256.private_key.export({ type: 'sec1', format: 'pem' }));
    return {
      headers: {
        'X-Twilio-Email-Event-Webhook-Timestamp': timestamp,
        'X-Twilio-Email-Event-Webhook-Signature': Ecdsa.sign(timestamp + text, key).toBase64(),
      },
    };
  },
  verifies: 'EventWebhook.verifySignature',
  async verify({ body, headers }, { secret }) {
    const { EventWebhook } = require('@sendgrid/eventwebhook');
    const library = new EventWebhook();
    const key = library.convertPublicKeyToECDSA(secret);
    const [signature, timestamp] = ['signature', 'timestamp'].map((name) => headers[`x-twilio-email-event-webhook-${name}`]);
    return library.verifySignature(key, body, signature, timestamp);
  },
};

const wechatpay_library = (serial) => {
  const Pay = require('wechatpay-node-v3');
  Pay.certificates = { [serial]: rsa.public_pem };
  return new Pay({
    appid: 'unused', mchid: 'unused', serial_no: serial, publicKey: Buffer.from(rsa.public_pem), privateKey: Buffer.from(rsa.private_pem),
  });
};
const wechatpay = {
  name: 'wechatpay',
  package: 'wechatpay-node-v3',
  secret: rsa.public_pem,
  sender_secret: rsa.private_pem,
  params: { serial: '5157F09EFDC096DE15EBE81A47057A7200000001' },
  signs: 'sha256WithRsa, as it signs its own requests',
  async sign({ text }, { params }) {
    const timestamp = seconds(), nonce = 'fdasflkja484w';
    return {
      headers: {
        'Wechatpay-Serial': params.serial, 'Wechatpay-Timestamp': timestamp, 'Wechatpay-Nonce': nonce,
        'Wechatpay-Signature': wechatpay_library(params.serial).sha256WithRsa(`${timestamp}\n${nonce}\n${text}\n`),
      },
    };
  },
  verifies: 'verifySign',
  async verify({ text, headers }, { params }) {
    return wechatpay_library(params.serial).verifySign({
      timestamp: headers['wechatpay-timestamp'], nonce: headers['wechatpay-nonce'], serial: headers['wechatpay-serial'],
      signature: headers['wechatpay-signature'], body: text,
    });
  },
};

const alipay_library = async () => {
  const { AlipaySdk } = await import('alipay-sdk');
  return new AlipaySdk({ appId: '2016', signType: 'RSA2', keyType: 'PKCS8', privateKey: rsa.private_pem, alipayPublicKey: rsa.public_pem });
};
const alipay = {
  name: 'alipay',
  package: 'alipay-sdk',
  secret: rsa.public_pem,
  type: 'application/x-www-form-urlencoded;charset=utf-8',
  body: '',
  signs: 'sdkExecute, as it signs its own requests',
  async sign() {
    const fields = { notify_id: 'ac05099524730693', notify_type: 'trade_status_sync', subject: '东京 belay', total_amount: '10.50' };
    return { headers: {}, body: (await alipay_library()).sdkExecute('alipay.trade.notify', fields) };
  },
  verifies: 'checkNotifySignV2',
  async verify({ form }) {
    return (await alipay_library()).checkNotifySignV2(form);
  },
  in_payload: true,
};

export default [discord, telnyx, sendgrid, wechatpay, alipay];
