// The origin in node: node origin_server.mjs PORT RECORD
import { createHash } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { createServer } from 'node:http'

const [port, record] = process.argv.slice(2)
const write = line => appendFileSync(record, JSON.stringify(line) + '\n')

const server = createServer((request, response) => {
  const parts = []
  request.on('data', part => parts.push(part))
  request.on('end', () => {
    const body = Buffer.concat(parts)
    write({ kind: 'request', method: request.method, target: request.url, length: body.length, sha: createHash('sha256').update(body).digest('hex') })
    response.writeHead(200, { 'Content-Length': 2 })
    response.end(request.method === 'HEAD' ? '' : 'ok')
  })
})
server.on('clientError', (error, socket) => {
  if (String(error.code).startsWith('HPE_')) write({ kind: 'refused', why: error.code })
  socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')
})
server.keepAliveTimeout = 10000
server.listen(Number(port), '127.0.0.1', 512)
