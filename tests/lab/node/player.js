// A player: joins, spawns where the server lets him, and stays until he is told to leave.
'use strict'

const { options, tell, endWith } = require('./peer')

const login = {
  host: options.host,
  port: options.port,
  username: options.name,
  version: options.version,
  auth: 'offline'
}

function mineflayerPlayer () {
  const bot = require('mineflayer').createBot(login)
  bot.once('spawn', () => tell('ready'))
  return bot
}

function protocolPlayer () {
  const client = require('minecraft-protocol').createClient(login)
  client.once('login', () => tell('ready'))
  return client
}

const player = options.light ? protocolPlayer() : mineflayerPlayer()
player.on('kicked', (reason) => tell('kicked', { reason: JSON.stringify(reason) }))
player.on('disconnect', (packet) => tell('kicked', { reason: JSON.stringify(packet.reason) }))
player.on('kick_disconnect', (packet) => tell('kicked', { reason: JSON.stringify(packet.reason) }))
player.on('error', (error) => tell('error', { message: String(error) }))
player.on('end', () => {
  tell('end')
  setTimeout(() => process.exit(0), 50)
})

endWith(() => player.end ? player.end() : player.quit())
