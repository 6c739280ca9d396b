// Pion's part of the table: both ends in this process, a relay between them.
// `pion <port of the near end's relay> <port of the far end's> <seconds> <bytes of a message>`
package main

import (
	"encoding/json"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v3"
)

const buffered = 1 << 20

// Bytes of receive and of send buffer, as all stacks have.
const socketBuffer = 4 << 20

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func number(index int) int {
	value, err := strconv.Atoi(os.Args[index])
	must(err)
	return value
}

func connection() *webrtc.PeerConnection {
	settings := webrtc.SettingEngine{}
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetInterfaceFilter(func(name string) bool { return name == "lo" })
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(err)
	must(socket.SetReadBuffer(socketBuffer))
	must(socket.SetWriteBuffer(socketBuffer))
	settings.SetICEUDPMux(webrtc.NewICEUDPMux(nil, socket))
	api := webrtc.NewAPI(webrtc.WithSettingEngine(settings))
	connection, err := api.NewPeerConnection(webrtc.Configuration{})
	must(err)
	return connection
}

// through gives a description whose candidates are this port of the relay's.
func through(description webrtc.SessionDescription, port int) webrtc.SessionDescription {
	lines := strings.Split(description.SDP, "\r\n")
	for index, line := range lines {
		if !strings.HasPrefix(line, "a=candidate:") {
			continue
		}
		fields := strings.Split(line, " ")
		fields[4], fields[5] = "127.0.0.1", strconv.Itoa(port)
		lines[index] = strings.Join(fields, " ")
	}
	description.SDP = strings.Join(lines, "\r\n")
	return description
}

// described sets a local description and gives it with all candidates.
func described(connection *webrtc.PeerConnection, description webrtc.SessionDescription, err error) webrtc.SessionDescription {
	must(err)
	gathered := webrtc.GatheringCompletePromise(connection)
	must(connection.SetLocalDescription(description))
	<-gathered
	return *connection.LocalDescription()
}

func main() {
	near, far := connection(), connection()
	channel, err := near.CreateDataChannel("data", nil)
	must(err)
	var messages int64
	opened := make(chan struct{}, 2)
	far.OnDataChannel(func(channel *webrtc.DataChannel) {
		channel.OnMessage(func(webrtc.DataChannelMessage) { atomic.AddInt64(&messages, 1) })
		channel.OnOpen(func() { opened <- struct{}{} })
	})
	channel.OnOpen(func() { opened <- struct{}{} })
	low := make(chan struct{}, 1)
	channel.SetBufferedAmountLowThreshold(buffered / 2)
	channel.OnBufferedAmountLow(func() {
		select {
		case low <- struct{}{}:
		default:
		}
	})
	offer, err := near.CreateOffer(nil)
	offer = described(near, offer, err)
	must(far.SetRemoteDescription(through(offer, number(2))))
	answer, err := far.CreateAnswer(nil)
	answer = described(far, answer, err)
	must(near.SetRemoteDescription(through(answer, number(1))))
	<-opened
	<-opened
	message := make([]byte, number(4))
	start := time.Now()
	go func() {
		for {
			for channel.BufferedAmount() > buffered {
				select {
				case <-low:
				case <-time.After(100 * time.Millisecond):
				}
			}
			if channel.Send(message) != nil {
				return
			}
		}
	}()
	time.Sleep(time.Duration(number(3)) * time.Second)
	must(json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"messages": float64(atomic.LoadInt64(&messages)),
		"wall":     time.Since(start).Seconds(),
	}))
}
