// Pion's side of a test: `peer offer` or `peer answer`. Descriptions are lines of JSON on standard input and
// output; whatever comes on a channel is answered by «heard» and itself.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"github.com/pion/webrtc/v3"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// say prints our description when all candidates are in it.
func say(connection *webrtc.PeerConnection, description webrtc.SessionDescription) {
	gathered := webrtc.GatheringCompletePromise(connection)
	must(connection.SetLocalDescription(description))
	<-gathered
	line, err := json.Marshal(connection.LocalDescription())
	must(err)
	fmt.Println(string(line))
}

func hear(connection *webrtc.PeerConnection, input *bufio.Reader) {
	line, err := input.ReadString('\n')
	must(err)
	var description webrtc.SessionDescription
	must(json.Unmarshal([]byte(line), &description))
	must(connection.SetRemoteDescription(description))
}

func answer(channel *webrtc.DataChannel) {
	channel.OnMessage(func(message webrtc.DataChannelMessage) {
		must(channel.SendText("heard " + string(message.Data)))
	})
}

func main() {
	settings := webrtc.SettingEngine{}
	settings.SetIncludeLoopbackCandidate(true)
	api := webrtc.NewAPI(webrtc.WithSettingEngine(settings))
	connection, err := api.NewPeerConnection(webrtc.Configuration{})
	must(err)
	connection.OnDataChannel(answer)
	input := bufio.NewReaderSize(os.Stdin, 1<<20)
	if os.Args[1] == "offer" {
		channel, err := connection.CreateDataChannel("word", nil)
		must(err)
		answer(channel)
		offer, err := connection.CreateOffer(nil)
		must(err)
		say(connection, offer)
		hear(connection, input)
	} else {
		hear(connection, input)
		description, err := connection.CreateAnswer(nil)
		must(err)
		say(connection, description)
	}
	// Until the test ends.
	_, _ = input.ReadString('\n')
	// Its end has gone first, and that is no error here.
	_ = connection.Close()
}
