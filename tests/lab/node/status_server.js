// A server of node-minecraft-protocol: status with icon and sample, and a login that does not spawn.
'use strict'

const minecraft = require('minecraft-protocol')
const { options, tell, endWith } = require('./peer')

const server = minecraft.createServer({
  host: options.host,
  port: options.port,
  version: options.version,
  motd: options.motd,
  maxPlayers: options.players_max,
  favicon: options.favicon,
  'online-mode': false,
  beforePing: (response) => {
    if (options.sample) {
      response.players.sample = options.sample.map((name, index) => ({
        name,
        id: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`
      }))
      response.players.online = options.sample.length
    }
    return response
  }
})

server.on('listening', () => tell('ready', { port: options.port }))
server.on('error', (error) => tell('error', { message: String(error) }))
server.on('playerJoin', (client) => {
  const { loginPacket } = require('minecraft-data')(client.version)
  client.write('login', { ...loginPacket, entityId: client.id })
  tell('joined', { player: client.username })
  client.on('end', () => tell('left', { player: client.username }))
})

endWith(() => {
  server.close()
  setTimeout(() => process.exit(0), 50)
})
