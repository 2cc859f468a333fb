// A Minecraft server that can really be joined.
'use strict'

const squid = require('flying-squid')
const { options, tell, endWith } = require('./peer')

// flying-squid names nobody in its status; a real server does.
function withSample (response) {
  response.players.sample = server.players.map(({ username, uuid }) => ({ name: username, id: uuid }))
  return response
}

const server = squid.createMCServer({
  beforePing: withSample,
  host: options.host,
  port: options.port,
  version: options.version,
  motd: options.motd,
  'max-players': options.players_max,
  'online-mode': false,
  logging: false,
  gameMode: 1,
  difficulty: 1,
  generation: { name: 'superflat', options: { worldHeight: 80 } },
  kickTimeout: 10000,
  plugins: {},
  modpe: false,
  'view-distance': 2,
  'player-list-text': { header: '', footer: '' },
  'everybody-op': false,
  'max-entities': 100
})

server.on('newPlayer', (player) => {
  player.on('connected', () => tell('joined', { player: player.username }))
  player.on('disconnected', () => tell('left', { player: player.username }))
})
server.on('error', (error) => tell('error', { message: String(error) }))
server._server.on('listening', () => tell('ready', { port: options.port }))

// flying-squid's own exit hook ends the process at the first SIGTERM.
endWith(() => process.exit(0))
